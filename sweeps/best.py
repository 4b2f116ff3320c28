"""The best trials of a study as a suite on fresh seeds: by how much the search's own score flatters them, and who is
best.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

import yaml

from atinuke_bench.config import MOST_SEED, CoreVariant, StudyOrigin, SuiteConfig
from atinuke_bench.errors import ConfigError, StudyError
from atinuke_bench.files import write_text
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.study_columns import data_of
from atinuke_bench.sweeps.definition import StudyConfig
from atinuke_bench.sweeps.finals import Candidate, Finals, candidates
from atinuke_bench.sweeps.parts import Part, Scored, floor_of, value_of
from atinuke_bench.sweeps.study import Study

FILE = "best.json"
#: The folder of a store that keeps the records of these suites; reports show their runs with their studies.
ROOM = "studies"


def fresh_seeds(config: StudyConfig, number: int) -> list[int]:
    """So many seeds that no trial of a study had, from the one after its last on."""
    used = config.used_seeds()
    every = (seed % (MOST_SEED + 1) for seed in count(max(used) + 1))
    return list(islice((seed for seed in every if seed not in used), number))


def best_trials(study: Study, number: int | None = None) -> list[Candidate]:
    """The best complete trials with what confirmed them, those with the same runs once; StudyError without any.

    Those that the study's finals left come first, then those that took part in them, by their means over seeds; then
    the others by their scores.
    """
    trials = study.trials()
    found = candidates(trials, higher_is_better=study.higher_is_better)
    if not found:
        raise StudyError(f"study {study.config.name!r} has no complete trial to retrain")
    finals = study.finals(trials) if study.config.num_seeds > 1 else Finals()
    left = [one.number for one in finals.survivors] if finals.finalists else []
    finalists = {one.number for one in finals.finalists}
    sign = 1 if study.higher_is_better else -1

    def rank(one: Candidate) -> tuple[float, ...]:
        if one.number in left:
            return 0, left.index(one.number)
        return (1 if one.number in finalists else 2), -sign * one.mean()

    different: dict[str, Candidate] = {}
    for one in sorted(found, key=rank):
        different.setdefault(repr(sorted(study.draw_of(one.trials[0]).overrides.items())), one)
    return list(different.values())[:number]


def _complete(study: Study) -> dict[int, Candidate]:
    return {one.number: one for one in candidates(study.trials(), higher_is_better=study.higher_is_better)}


def origin_of(study: Study, chosen: Candidate, rank: int) -> StudyOrigin:
    """What a column of a suite keeps of the trial that it is."""
    config, drawn = study.config, study.draw_of(chosen.trials[0]).overrides
    return StudyOrigin(
        study=config.name,
        rank=rank,
        trial=chosen.number,
        settings={**config.overrides, **drawn},
        tasks={one.task: one.metric for one in config.all_tasks},
        source=data_of(config.make_run(drawn).source),
        versions=config.known_versions(),
        seeds=config.used_seeds(),
    )


def best_suite(study: Study, *, name: str, num_seeds: int, num_rivals: int) -> SuiteConfig:
    """The best trial and its rivals as columns `best`, `rival-1`, …, on fresh seeds; StudyError without any."""
    config, columns = study.config, {}
    for rank, chosen in enumerate(best_trials(study, 1 + num_rivals), start=1):
        origin = origin_of(study, chosen, rank)
        columns["best" if rank == 1 else f"rival-{rank - 1}"] = CoreVariant(
            core=config.core, preset=config.preset, overrides=origin.settings, study=origin
        )
    declared = [task.declaration for task in config.all_tasks if task.declaration is not None]
    return SuiteConfig(
        name=name,
        description=f"The best trials of study {config.name} on fresh seeds",
        tasks=[task.task for task in config.all_tasks],
        cores=columns,
        seeds=fresh_seeds(config, num_seeds),
        source=data_of(config.source),
        declarations={f"{one.name}.yaml": one for one in declared},
    )


def best_record(
    study: Study,
    suite: SuiteConfig,
    results: Sequence[tuple[str, Mapping[str, Any]]],
    folders: Mapping[tuple[str, str, int], str],
) -> dict[str, Any]:
    """What `best.json` says of the finished runs of a `best_suite`: columns with results, and folders in the store.

    `folders` are by column, task and seed. The order by means of the selection score on fresh seeds is the one to
    trust; the evaluated splits only report. Of several tasks the selection score is that by which the study ranks, and
    what their splits came to is given task by task.
    """
    entries, known = [], _complete(study)
    for column, variant in suite.cores.items():
        assert variant.study is not None, "the columns of the suite are trials"
        chosen = known[variant.study.trial]
        own = {(result["task"], result["seed"]): result for name, result in results if name == column}
        places = {key: folders[(column, *key)] for key in own}
        tasks = {task: _of_task(own, task) for task in suite.tasks}
        entry: dict[str, Any] = {
            "number": chosen.number,
            "config": study.draw_of(chosen.trials[0]).overrides,
            "score_in_study": chosen.mean(),
            "selection": _summary(_value(study, own, places, seed) for seed in suite.seeds),
            "folders": list(places.values()),
        }
        if len(tasks) == 1:
            entry |= {name: tasks[suite.tasks[0]][name] for name in ("evaluated", "split", "metric")}
        else:
            entry |= {"evaluated": _summary([]), "split": None, "metric": None, "tasks": tasks}
        entries.append(entry)
    sign = 1 if study.higher_is_better else -1
    entries.sort(key=lambda entry: _rank(entry["selection"]["mean"], sign))
    return {"schema": 1, "study": study.config.name, "seeds": suite.seeds, "trials": entries}


def _value(
    study: Study, own: Mapping[tuple[str, int], Mapping[str, Any]], places: Mapping[tuple[str, int], str], seed: int
) -> float | None:
    """What the runs of a configuration with one seed are worth to the study; None where one is missing."""
    scored, config = [], study.config
    for task in config.all_tasks:
        key = (task.task, seed)
        score = own[key]["selection"]["score"] if key in own else None
        if score is None:
            return None
        scored.append(Scored(score, floor_of(RunFolder(study.store / places[key]).read_history())))
    return value_of([Part(task) for task in config.all_tasks], scored, config.aggregate)


def _of_task(own: Mapping[tuple[str, int], Mapping[str, Any]], task: str) -> dict[str, Any]:
    found = [result for (name, _), result in own.items() if name == task]
    return {
        "selection": _summary(result["selection"]["score"] for result in found),
        "evaluated": _summary(result["score"] for result in found),
        "split": found[0]["split"] if found else None,
        "metric": found[0]["metric"] if found else None,
    }


def write_suite(study: Study, file: Path, *, num_seeds: int, num_rivals: int) -> SuiteConfig:
    """Write `best_suite` as YAML with explicit settings, that any store can carry out; it is named like the file.

    A task of the user's own goes into a file beside it. ConfigError where the file is there already, RunFolderError
    where it cannot be written.
    """
    if file.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"--as-suite takes a YAML file; found {file}; nearest: {file.with_suffix('.yaml')}")
    suite = best_suite(study, name=file.stem, num_seeds=num_seeds, num_rivals=num_rivals)
    record = suite.model_dump(mode="json", exclude_unset=True, exclude={"declarations"})
    record["source"] = {name: value for name, value in record["source"].items() if value is not None}
    texts = {}
    for declaration in suite.declarations.values():
        task = file.with_name(f"{file.stem}.{declaration.name}.yaml")
        texts[task] = _yaml(declaration.model_dump(mode="json", exclude_defaults=True))
        record["tasks"] = [task.name if name == declaration.task else name for name in record["tasks"]]
    for column in record["cores"].values():
        del column["study"]
    head, _, columns = _yaml(record).partition("cores:\n")
    texts[file] = f"{_about(study, suite)}{head}cores:\n{_with_origins(columns, study, suite)}"
    for path in texts:
        if path.exists():
            raise ConfigError(f"--as-suite {path}: there is such a file; give another name, or remove it")
    for path, text in texts.items():
        write_text(path, text)
    return suite


def _about(study: Study, suite: SuiteConfig) -> str:
    config, used = study.config, ", ".join(map(str, study.config.used_seeds()))
    lines = [
        f"# The best trials of study {config.name}, from sweep best {config.name} --as-suite.",
        f"# Seeds of its trials, by which they were chosen: {used}; the seeds here are fresh.",
    ]
    return "\n".join(lines) + "\n"


def _with_origins(columns: str, study: Study, suite: SuiteConfig) -> str:
    """The columns as they are written, each below a comment on the trial that it is."""
    known, lines = _complete(study), []
    for line in columns.splitlines():
        name = line.strip().removesuffix(":")
        if line.startswith("  ") and not line.startswith("   ") and (found := suite.cores.get(name)) and found.study:
            said = f"trial {found.study.trial}, number {found.study.rank} of study {found.study.study}"
            lines.append(f"  # {said}: selection {study.config.metric} {known[found.study.trial].mean():.6g}")
        lines.append(line)
    return "\n".join(lines) + "\n"


def _yaml(record: Mapping[str, Any]) -> str:
    return yaml.safe_dump(record, sort_keys=False, allow_unicode=True)


def _rank(mean: float | None, sign: int) -> tuple[bool, float]:
    """The best mean first, and last what has none."""
    return mean is None, 0.0 if mean is None else -sign * mean


def _summary(values: Iterable[float | None]) -> dict[str, Any]:
    """Mean, standard deviation and number of the scores there are."""
    known = [value for value in values if value is not None]
    return {
        "mean": statistics.fmean(known) if known else None,
        "deviation": statistics.stdev(known) if len(known) > 1 else None,
        "count": len(known),
    }
