"""New examples for trained runs: the answers that the run gave, and clear words about what cannot be read."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest
import torch

from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.errors import AtinukeBenchError, CheckpointError, ConfigError, DataError, RunFolderError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.predict import load_predictor
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import Execution, train_and_evaluate

FIELDS = {
    "snli": ("sentence1", "sentence2"),
    "glue/sst2": ("sentence1",),
    "glue/stsb": ("sentence1", "sentence2"),
    "squad-v2.0": ("question", "context"),
    "srl": ("words", "predicate"),
    "lm": ("text",),
}
TASKS = [*FIELDS, "coref"]


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """`trained(task)`: a small finished run, and the examples of its dev split."""
    made = {}

    def make(task):
        if task not in made:
            torch.set_num_threads(1)
            sizes = {"train": 24, "dev": 8, "test": 2}
            options = {}
            if task == "coref":
                # So little training finds nothing; its best candidates are answers enough.
                sizes = {"train": 8, "dev": 4, "test": 1}
                options = {"options.singletons": "keep", "options.min_mention_score": -30.0, "training.max_epochs": 6}
            run = make_run_config(
                task,
                "transformer",
                preset="nano",
                source=SourceConfig(kind="microworld", microworld=sizes),
                overrides={
                    "training.max_epochs": 4,
                    "training.batch_tokens": 256,
                    "training.patience": 9,
                    "tokenizer.vocab_size": 300,
                    **options,
                },
            )
            prepared = prepare(run)
            folder = RunFolder(tmp_path_factory.mktemp("runs") / "run")
            train_and_evaluate(prepared, folder, Execution(show_progress=False))
            made[task] = folder, prepared.evaluation_splits["dev"]
        return made[task]

    return make


def records_of(task, examples):
    for row in examples:
        if task == "coref":
            sentences, speakers, start = [], [], 0
            for length in row["sentence_lengths"]:
                sentences.append(row["words"][start : start + length])
                speakers.append(row["speakers"][start : start + length])
                start += length
            record = {"sentences": sentences, "name": row["name"]}
            yield {"id": row["id"], **record, **({"speakers": speakers} if row["speakers"] else {})}
        else:
            yield {"id": row["id"], **{name: row[name] for name in FIELDS[task]}}


def stored(folder):
    rows = pd.read_parquet(folder.predictions)
    rows = rows[rows["split"] == "dev"]
    return dict(zip(rows["id"], rows["prediction"], strict=True))


def assert_same(answers, expected):
    assert [answer.id for answer in answers] == list(expected)
    for answer, kept in zip(answers, expected.values(), strict=True):
        if isinstance(answer.prediction, str):
            assert answer.prediction == kept
        elif isinstance(answer.prediction, float):
            assert answer.prediction == pytest.approx(float(kept), abs=1e-5)
        elif isinstance(answer.prediction, dict):
            assert answer.prediction == pytest.approx(json.loads(kept), rel=1e-5)
        else:
            assert answer.prediction == json.loads(kept)


@pytest.mark.parametrize("task", TASKS)
def test_answers_are_those_that_the_run_stored(trained, task):
    folder, examples = trained(task)
    answers = load_predictor(folder).predict(list(records_of(task, examples)))
    assert_same(answers, stored(folder))
    assert len({json.dumps(answer.prediction) for answer in answers}) > 1 or task in ("glue/sst2", "squad-v2.0")


@pytest.mark.parametrize("task", ["snli", "glue/sst2", "squad-v2.0"])
def test_the_answer_is_the_most_probable_one(trained, task):
    folder, examples = trained(task)
    lines = [json.dumps(record) + "\n" for record in records_of(task, examples)]
    for answer in load_predictor(folder).stream(lines, chunk=3, probabilities=True):
        given = answer.as_record()["probabilities"]
        if task == "squad-v2.0":
            assert answer.prediction == given[0]["text"]
            assert 0 < sum(one["probability"] for one in given) <= 1 + 1e-9
        else:
            assert answer.prediction == max(given, key=given.get)
            assert sum(given.values()) == pytest.approx(1)
    assert_same(load_predictor(folder).predict(list(records_of(task, examples))), stored(folder))


@pytest.mark.parametrize("task", ["glue/stsb", "srl", "lm"])
def test_a_task_without_probabilities_says_so_before_anything_is_read(trained, task):
    predictor = load_predictor(trained(task)[0])
    with pytest.raises(ConfigError, match=f"task '{task}' has no probabilities of its answers"):
        next(predictor.stream(iter(["no json"]), probabilities=True))
    with pytest.raises(ConfigError, match="has no probabilities"):
        predictor.predict([], probabilities=True)


@pytest.mark.parametrize("task", [task for task in TASKS if task != "lm"])  # texts read together are one stream there
def test_a_stream_in_pieces_gives_the_same(trained, task):
    folder, examples = trained(task)
    lines = [json.dumps(record) + "\n" for record in records_of(task, examples)]
    assert_same(list(load_predictor(folder).stream(lines, chunk=3)), stored(folder))


def test_a_stream_is_answered_as_it_comes(trained):
    folder, _ = trained("snli")
    taken = []

    def lines():
        for number in range(6):
            taken.append(number)
            yield f"Ada runs .\tBen {number} runs .\n"

    answers = load_predictor(folder).stream(lines(), chunk=2)
    next(answers)
    assert taken == [0, 1], "two lines are read before they are answered, and no more"
    assert [answer.id for answer in answers] == ["2", "3", "4", "5", "6"]


def test_texts_with_tabs_are_as_good_as_json(trained):
    folder, _ = trained("snli")
    predictor = load_predictor(folder)
    plain = list(predictor.stream(["Ada runs\tBen runs\n", "\n", "Ada\tAda"]))
    again = list(predictor.stream(['{"sentence1": "Ada runs", "sentence2": "Ben runs", "gold_label": "x"}']))
    assert [answer.id for answer in plain] == ["1", "3"]
    assert plain[0].prediction == again[0].prediction


def test_the_columns_of_a_table_go_by_its_header(trained):
    made = load_predictor(trained("snli")[0])
    pair = {"sentence1": "Ada gave Ben a book, gladly.", "sentence2": "Ben has a book."}
    (answer,) = made.predict([pair])
    table = ["id,sentence2,label,sentence1\n", '7,Ben has a book.,?,"Ada gave Ben a book, gladly."\n']
    assert [(one.id, one.prediction) for one in made.stream(table, "new.csv")] == [("7", answer.prediction)]
    lines = ["sentence2\tsentence1\n", "Ben has a book.\tAda gave Ben a book, gladly.\n"]
    for name in ("new.tsv", "new.txt", "standard input"):
        assert [one.prediction for one in made.stream(lines, name)] == [answer.prediction]
    with pytest.raises(DataError, match=r"new.csv:1: no column .* sentence1; nearest: 'sentence2'"):
        list(made.stream(["premise,sentence2\n", "a,b\n"], "new.csv"))


def test_predicates_of_one_sentence_are_asked_together(trained):
    folder, _ = trained("srl")
    predictor = load_predictor(folder)
    words = "Ada said Ben runs ."
    both = predictor.predict([{"words": words, "predicate": [1, 3]}])[0].prediction
    each = [predictor.predict([{"words": words.split(), "predicate": place}])[0].prediction for place in (1, 3)]
    assert both == each
    assert [1, 1, "V"] in both[0]


@pytest.mark.parametrize(
    ("task", "line", "message"),
    [
        ("snli", '{"sentence1": "a", "sentense2": "b"}', "in.txt:2: sentence2: missing; nearest: 'sentense2'"),
        ("snli", '{"sentence1": 3, "sentence2": "b"}', "in.txt:2: sentence1: must be a text; found 3"),
        ("snli", '{"sentence1": ', "in.txt:2: must be one JSON object a line"),
        (
            "snli",
            '{"sentence1": "half',
            "one JSON object a line .*begins like one is given as JSON, with sentence1, sentence2",
        ),
        ("snli", "{brace} only", "in.txt:2: a line is a JSON object, or 2 texts parted by a tab .* found 1"),
        ("glue/sst2", '{"half": ', "in.txt:2: must be one JSON object a line"),
        ("snli", '{"n": ' + "9" * 5000 + "}", "in.txt:2: must be one JSON object a line"),
        ("srl", "{" + '"a":[' * 9000, "in.txt:2: must be one JSON object a line"),
        ("srl", "{brace", "in.txt:2: must be one JSON object a line"),
        (
            "snli",
            '{"sentence1": "a \\ud83d", "sentence2": "b"}',
            "in.txt:2: sentence1: holds an unpaired surrogate at ch",
        ),
        ("snli", '{"sentence1": "a", "sentence2": "b", "id": "\\udc00"}', "in.txt:2: id: holds an unpaired surrogate"),
        (
            "snli",
            '{"sentence1": "a", "sentence2": "b", "\\ud83d": 1}',
            "in.txt:2: .{1,9}ud83d: holds an unpaired surrogate",
        ),
        ("srl", '{"words": ["a", "\\ud83d"], "predicate": 0}', r"in.txt:2: words\[1\]: holds an unpaired surrogate"),
        ("coref", '{"sentences": ["a b", ["c", "\\ud83d"]]}', r"in.txt:2: sentences\[1\]\[1\]: holds an unpaired surr"),
        ("coref", '{"sentences": ["a"], "name": "\\ud83d"}', "in.txt:2: name: holds an unpaired surrogate"),
        ("squad-v2.0", '{"question": "a", "context": "\\ud83d"}', "in.txt:2: context: holds an unpaired surrogate"),
        ("lm", '{"text": "\\ud83d"}', "in.txt:2: text: holds an unpaired surrogate"),
        ("snli", "only one", "in.txt:2: a line is a JSON object, or 2 texts parted by a tab .* found 1"),
        ("srl", "a plain line", "in.txt:2: must be one JSON object a line; found"),
        ("srl", '{"words": [], "predicate": 0}', "in.txt:2: words: must be words"),
        (
            "srl",
            '{"words": "a b", "predicate": 2}',
            "in.txt:2: predicate: must be the number of a word, 0 to 1; found 2",
        ),
        ("srl", '{"words": "a b"}', "in.txt:2: predicate: must be the number of a word, 0 to 1; found null"),
        ("coref", '{"sentences": "a b"}', "in.txt:2: sentences: must be a list"),
        ("coref", '{"sentences": ["a b", 3]}', r"in.txt:2: sentences\[1\]: must be words"),
        ("coref", '{"sentences": ["a b"], "speakers": [["x"]]}', "in.txt:2: speakers: must be a text for each word"),
        ("squad-v2.0", '{"question": "a"}', "in.txt:2: context: missing"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_after_those_before_it(trained, task, line, message):
    folder, examples = trained(task)
    good = json.dumps(next(iter(records_of(task, examples))))
    answers = load_predictor(folder).stream([good, line], "in.txt")
    assert next(answers).prediction is not None
    with pytest.raises(DataError, match=message):
        next(answers)


@pytest.mark.parametrize(("task", "plain"), [("glue/sst2", "{brace} a film"), ("snli", "{a} b\t{} c")])
def test_a_text_that_begins_with_a_brace_is_a_text(trained, task, plain):
    predictor = load_predictor(trained(task)[0])
    record = dict(zip(FIELDS[task], plain.split("\t"), strict=True))
    (answer,) = predictor.stream([plain])
    assert answer == predictor.predict([record])[0]


def test_nothing_in_is_nothing_out(trained):
    predictor = load_predictor(trained("snli")[0])
    assert list(predictor.stream([])) == []
    assert predictor.predict([]) == []


def test_what_is_missing_or_damaged_is_named(trained, tmp_path):
    folder, _ = trained("snli")

    def spoiled(change):
        copy = RunFolder(tmp_path / str(len(list(tmp_path.iterdir()))))
        shutil.copytree(folder.path, copy.path)
        change(copy)
        return copy

    def edit(path, old, new):
        path.write_text(path.read_text().replace(old, new))

    cases: list[tuple[type[AtinukeBenchError], str, object]] = [
        (RunFolderError, "not a finished run", lambda run: run.result.unlink()),
        (CheckpointError, "best.safetensors: missing or damaged", lambda run: run.best_checkpoint.write_bytes(b"x")),
        (CheckpointError, "tokenizer.json: missing or damaged", lambda run: run.tokenizer.unlink()),
    ]
    for kind, message, change in cases:
        with pytest.raises(kind, match=message):
            load_predictor(spoiled(change))


def test_the_floor_answers_nothing_new(make_run, tmp_path):
    folder = RunFolder(tmp_path / "floor")
    train_and_evaluate(prepare(make_run("snli", "majority")), folder, Execution(show_progress=False))
    with pytest.raises(ConfigError, match="no trained core"):
        load_predictor(folder)
