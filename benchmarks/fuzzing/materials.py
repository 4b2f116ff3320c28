"""One small valid file of every kind that is mutated: official data, predictions, YAML, a store with runs, a model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from atinuke_bench.config import MicroworldConfig, RunConfig, SourceConfig, make_run_config

NAMES, VERBS = ("Ada", "Ben", "Cleo", "Dan"), ("sees", "helps", "calls", "likes")
SPLITS = {"train": 40, "dev": 10, "test": 10}
_SMALL = {
    "training.max_epochs": 2,
    "training.batch_tokens": 1024,
    "tokenizer.vocab_size": 300,
    "tokenizer.min_frequency": 1,
}
SUITE = """\
name: tiny
description: two cores on pairs
tasks: [snli, glue/cola]
cores:
  atinuke: {core: atinuke, preset: nano}
  shallow: {core: bilstm, preset: nano, overrides: {training.learning_rate: 2.0e-3}}
seeds: [0, 1]
source: {kind: microworld, microworld: {train: 40, dev: 12, test: 12}}
overrides: {training.max_epochs: 2}
task_overrides: {snli: {training.max_length: 64}}
"""
DECLARED = """\
name: own
kind: {}
splits: {{train: {}, dev: {}, test: {}}}
fields: {{text: a, text2: b, label: label, id: key}}
"""
SPACE = """\
parameters:
  training.learning_rate: {float: [1.0e-4, 1.0e-2], log: true}
  core.num_layers: {int: [1, 3]}
  core.num_heads: {categorical: [1, 2, 4]}
  core.hidden_size: {int: [8, 64]}
  core.dropout: {float: [0.0, 0.3], when: {core.num_layers: [2, 3]}}
"""


def write_parts(folder: Path, names: Iterable[str]) -> None:
    """Write what some files, named below `folder`, are part of; a part that is there already is kept."""
    names = list(names)
    parts = {name.partition("/")[0] for name in names} | {"data"}
    parts |= {"store"} if "inputs" in parts else set()  # a trained run answers them
    writers = {"data": _write_data, "declared": _write_declared, "model": _write_model, "store": _write_store}
    for part, write in writers.items():
        mark = folder / f"{part}.complete"
        if part in parts and not mark.exists():
            shutil.rmtree(folder / part, ignore_errors=True)
            write(folder)
            mark.touch()


def _write_data(folder: Path) -> None:
    pairs = [(f"{a} {v} {b} .", f"{b} {v} {a} .") for a in NAMES for v in VERBS for b in NAMES if a != b]
    _write_pairs(folder / "data", pairs)
    _write_squad(folder / "data" / "squad")
    for split, size in SPLITS.items():
        _text(folder / "data" / "coref" / f"{split}.v4_gold_conll", "".join(map(_document, range(size // 5))))
        _text(folder / "data" / "srl" / f"{split}.props", _PROPS * (size // 5))
        _text(folder / "data" / "srl" / f"{split}.words", _WORDS * (size // 5))
        _text(folder / "data" / "srl12" / f"{split}.v4_gold_conll", "".join(map(_document, range(size // 5))))
        blocks = "\n\n".join(f"{first}\n{second}" for first, second in pairs[:size])
        _text(folder / "data" / "lm" / f"{split}.txt", blocks + "\n")
    _text(folder / "suite.yaml", SUITE)
    _text(folder / "space.yaml", SPACE)
    _text(folder / "overrides.txt", "core.num_layers=2\ntraining.learning_rate=1e-3\nseed=3\ncore.causal=false\n")
    _write_inputs(folder / "inputs", pairs)


def _write_declared(folder: Path) -> None:
    """Two tasks of a user's own files, one of each kind, which between them have every format."""
    place = folder / "declared"
    pairs = [(f"{a} {v} {b} .", f"{b} {v} {a} .") for a in NAMES for v in VERBS for b in NAMES if a != b]
    rows = [{"key": f"r{n}", "a": a, "b": b, "label": "pos" if n % 2 else "neg"} for n, (a, b) in enumerate(pairs[:30])]
    scored = [{**row, "label": n % 6} for n, row in enumerate(rows)]
    _text(place / "reviews.yaml", DECLARED.format("classification", "train.csv", "dev.tsv", "test.jsonl"))
    _text(place / "scores.yaml", DECLARED.format("regression", "train.json", "dev.parquet", "test.csv"))
    _text(place / "train.csv", pd.DataFrame(rows).to_csv(index=False))
    _text(place / "dev.tsv", pd.DataFrame(rows).to_csv(index=False, sep="\t"))
    _text(place / "test.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    _text(place / "train.json", json.dumps(scored))
    _text(place / "test.csv", pd.DataFrame(scored).to_csv(index=False))
    pd.DataFrame(scored).to_parquet(place / "dev.parquet")


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _write_pairs(data: Path, pairs: list[tuple[str, str]]) -> None:
    labels = ("entailment", "neutral", "contradiction")
    for split, size in SPLITS.items():
        rows = list(enumerate(pairs[:size]))
        records = [
            {"gold_label": labels[n % 3], "sentence1": a, "sentence2": b, "pairID": f"{split}-{n}"}
            for n, (a, b) in rows
        ]
        _text(data / "snli" / f"snli_1.0_{split}.jsonl", "".join(json.dumps(record) + "\n" for record in records))
        if split == "test":
            cola = ["index\tsentence", *(f"{n}\t{a}" for n, (a, _) in rows)]
            scored = ["index\tg\tf\ty\to\ts1\ts2\tsentence1\tsentence2"]
        else:
            cola = [f"gj04\t{n % 2}\t{'*' if n % 2 else ''}\t{a}" for n, (a, _) in rows]
            scored = ["index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore"]
        if split != "test":
            scored += [f"{n}\tg\tf\t2012\t{n}\ts\ts\t{a}\t{b}\t{n % 6}.000" for n, (a, b) in rows]
            _text(data / "glue" / "STS-B" / f"{split}.tsv", "\n".join(scored) + "\n")
        _text(data / "glue" / "CoLA" / f"{split}.tsv", "\n".join(cola) + "\n")
    answers = {n: labels[n % 2] for n in range(SPLITS["dev"])}
    lines = [json.dumps({"pairID": f"dev-{n}", "prediction": label}) + "\n" for n, label in answers.items()]
    _text(data / "snli-predictions.jsonl", "".join(lines))
    _text(data / "snli-predictions.tsv", "".join(f"dev-{n}\t{label}\n" for n, label in answers.items()))
    _text(data / "cola-predictions.tsv", "index\tprediction\n" + "".join(f"{n}\t{n % 2}\n" for n in answers))
    _text(data / "stsb-predictions.tsv", "index\tprediction\n" + "".join(f"{n}\t{n / 3:.3f}\n" for n in answers))


def _write_squad(folder: Path) -> None:
    for split, size in SPLITS.items():
        for version in ("1.1", "2.0"):
            if split == "test":
                continue
            articles = []
            for number in range(size // 5):
                context = f"Ada sees Ben in Oslo{number} . Cleo helps Dan ."
                questions: list[dict[str, Any]] = [
                    {
                        "id": f"{split}{number}a",
                        "question": "Who sees Ben ?",
                        "answers": [{"text": "Ada", "answer_start": 0}],
                    }
                ]
                if version == "2.0":
                    questions[0]["is_impossible"] = False
                    empty = {"id": f"{split}{number}b", "question": "Who calls ?", "answers": [], "is_impossible": True}
                    questions.append(empty)
                articles.append({"title": f"T{number}", "paragraphs": [{"context": context, "qas": questions}]})
            _text(
                folder / f"v{version}" / f"{split}-v{version}.json", json.dumps({"version": version, "data": articles})
            )
    ids = [f"dev{number}{kind}" for number in range(SPLITS["dev"] // 5) for kind in "ab"]
    _text(folder / "predictions-1.1.json", json.dumps({id_: "Ada" for id_ in ids if id_.endswith("a")}))
    _text(folder / "predictions-2.0.json", json.dumps(dict.fromkeys(ids, "Ada")))
    _text(folder / "null-odds.json", json.dumps({id_: number / 10 - 0.1 for number, id_ in enumerate(ids)}))


_PROPS = "-\t(A0*)\t*\nsee\t(V*)\t*\n-\t(A1*\t(A0*)\n-\t*)\t*\ncall\t*\t(V*)\n\n-\n-\n\n"
_WORDS = "Ada\nsees\nBen\nwho\ncalls\n\nDan\nsleeps\n\n"


def _document(number: int) -> str:
    head = f"#begin document (nw/d{number}); part 000\n"
    rows = (
        ("Ada", "NNP", "-", "-", "(ARG0*)", "(0)"),
        ("sees", "VBZ", "see", "01", "(V*)", "-"),
        ("her", "PRP$", "-", "-", "(ARG1*", "(0)|(1"),
        ("dog", "NN", "-", "-", "*)", "1)"),
    )
    lines = (
        f"nw/d{number}\t0\t{n}\t{word}\t{pos}\t*\t{lemma}\t{sense}\t-\t-\t*\t{role}\t{coref}\n"
        for n, (word, pos, lemma, sense, role, coref) in enumerate(rows)
    )
    second = f"nw/d{number}\t0\t0\tIt\tPRP\t*\t-\t-\t-\tAda\t*\t(1)\n"
    return head + "".join(lines) + "\n" + second + "\n#end document\n"


def _write_inputs(folder: Path, pairs: list[tuple[str, str]]) -> None:
    records = [{"id": str(n), "sentence1": a, "sentence2": b} for n, (a, b) in enumerate(pairs[:5])]
    _text(folder / "snli.jsonl", "".join(json.dumps(record) + "\n" for record in records) + "A man .\tA dog .\n")
    questions = [{"question": "Who ?", "context": "Ada sees Ben ."}]
    _text(folder / "squad.jsonl", "".join(json.dumps(record) + "\n" for record in questions))
    _text(folder / "srl.jsonl", json.dumps({"words": ["Ada", "sees", "Ben"], "predicate": [1]}) + "\n")
    _text(folder / "coref.jsonl", json.dumps({"sentences": [["Ada", "sleeps"], "She snores"], "name": "x"}) + "\n")
    _text(folder / "lm.jsonl", json.dumps({"text": "Ada sees Ben ."}) + "\nBen sleeps .\n")


def run_config(task: str, core: str, seed: int) -> RunConfig:
    """A run of a second on generated data."""
    sizes = MicroworldConfig(train=40, dev=12, test=12)
    source = SourceConfig(kind="microworld", microworld=sizes)
    return make_run_config(task, core, preset="nano", source=source, seed=seed, overrides=_SMALL)


def _write_store(folder: Path) -> None:
    from atinuke_bench.config import SuiteConfig, parse
    from atinuke_bench.config.written import read_yaml
    from atinuke_bench.run_folder import RunFolder, folder_of
    from atinuke_bench.runs.suite_record import RecordedCell, SuiteRecord, grid_stamp, record_path
    from atinuke_bench.training.execution import Execution
    from atinuke_bench.training.prepare import prepare
    from atinuke_bench.training.train import train_and_evaluate

    store = folder / "store"
    _write_study(store)
    cells, folders = [], {}
    for task, core, seed in (
        ("snli", "atinuke", 0),
        ("snli", "atinuke", 1),
        ("snli", "bilstm", 0),
        ("snli", "bilstm", 1),
        ("glue/cola", "atinuke", 0),
        ("squad-v2.0", "atinuke", 0),
        ("srl", "atinuke", 0),
        ("coref", "atinuke", 0),
        ("lm", "atinuke", 0),
    ):
        prepared = prepare(run_config(task, core, seed))
        run = folder_of(store, prepared.run, prepared.identity)
        train_and_evaluate(prepared, run, Execution(show_progress=False))
        folders[task, core, seed] = run
        place = run.path.relative_to(store).as_posix()
        cells.append(RecordedCell(f"{task}-{core}-{seed}", task, core, core, seed, place))
    # One that is half done, and one that failed.
    half = folders["snli", "bilstm", 1]
    (store / "half").mkdir()
    for name in ("config.yaml", "history.jsonl", "tokenizer.json", "manifest.json"):
        (store / "half" / name).write_bytes((half.path / name).read_bytes())
    failed = RunFolder(store / "failed")
    failed.create()
    failed.config.write_bytes(half.config.read_bytes())
    failed.failure.write_text(json.dumps({"class": "diverged", "message": "the loss was nan", "traceback": "…"}))
    path = record_path(store, "tiny")
    path.parent.mkdir(parents=True)
    suite_file = store.parent / "suite.yaml"
    suite = parse(SuiteConfig, read_yaml(suite_file), str(suite_file))
    stamp = grid_stamp(suite, suite.source or SourceConfig())
    SuiteRecord(path, "tiny", suite.model_dump(mode="json"), stamp, cells).write()


def _write_study(store: Path) -> None:
    from atinuke_bench.sweeps.best import FILE
    from atinuke_bench.sweeps.insight import insight, write_insight
    from atinuke_bench.sweeps.opening import create_or_join
    from atinuke_bench.sweeps.planning import plan_studies

    (config,) = plan_studies(
        tasks=[("snli", None)],
        cores=["atinuke"],
        name="st",
        space=str(store.parent / "space.yaml"),
        budget={"trials": 2, "seconds": None, "training_flops": None},
        sampler="random",
        pruner=None,
        against=None,
        preset="nano",
        source=run_config("snli", "atinuke", 0).source,
        seed=0,
        overrides={"training.max_epochs": 1},
    )
    study = create_or_join(config, store)
    write_insight(study, insight(study))
    study.close()
    summary = {"mean": 50.0, "deviation": 1.0, "count": 2}
    rival = {"number": 0, "config": {"core.num_layers": 2}, "score_in_study": 50.0, "selection": summary}
    rival |= {"evaluated": summary, "split": "test", "metric": "accuracy", "folders": []}
    (study.folder / FILE).write_text(json.dumps({"schema": 1, "study": "st", "seeds": [1, 2], "trials": [rival]}))


def _write_model(materials: Path) -> None:
    import torch
    import transformers

    from atinuke_bench.config import TokenizerConfig
    from atinuke_bench.data.tokenizer import train_tokenizer

    folder = materials / "model"
    tokenizer = train_tokenizer([" ".join((*NAMES, *VERBS))], TokenizerConfig(vocab_size=150, min_frequency=1))
    config = transformers.AutoConfig.for_model(
        "bert",
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    torch.manual_seed(3)
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
