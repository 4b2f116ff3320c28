"""Studies: the search over a core's dimensions and training settings. One trial is one run of the common store.

domains.py      what a parameter may be: Optuna's distributions, as YAML writes them
spaces.py       a search space over config fields, from YAML, and what a trial draws from it
fields.py       a space checked: which fields may be searched, and what they take
samplers.py     Optuna's samplers and pruners under our names, and the points of a grid
definition.py   what a study is: task, core, space, sampler, pruner, objectives, budget; from what a user asks
limits.py       what a trial may cost at most, as it is written and as a trial keeps what is over it
foreseen.py     what a run will cost, before it trains
constraints.py  what becomes of trials that cost more than they may
origins.py      which trial of another study one was taken from
warm_start.py   a study that begins with what others found
storage.py      the database: made once, locked while a trial is drawn, waited for
study.py        a study: gives trials, is told their outcomes, counts them
opening.py      studies made, joined and opened by name
workers.py      which processes take part, and whether they live
recovery.py     trials whose process died
sweep.py        the loop: draws trials, starts runs, passes on pruning decisions
progress.py     one line a trial
best.py         the best trials as a suite on fresh seeds
columns.py      what columns of suites have from studies
copying.py      studies copied to other stores and databases
insight/        what was learned, as data, from which reports draws: `axes.py` of the space, `surface.py` of the score,
                `learned.py` from both, `expected.py` of n trials, `advice.py` in sentences, `record.py` of all
"""
