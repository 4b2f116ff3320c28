"""Finished runs on other labelled data: the figures are those of counting by hand, and nothing of the run changes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter

import pandas as pd
import pytest

from atinuke_bench.evaluation_folder import evaluation_of, find_evaluations
from atinuke_bench.metrics.bootstrap import percentile_interval
from atinuke_bench.metrics.metric import mean_sample
from atinuke_bench.metrics.units import grouped
from atinuke_bench.run_folder import RunFolder, find_runs
from atinuke_bench.runs.evaluation.carry_out import evaluate_runs
from atinuke_bench.runs.evaluation.test_set import open_test_set
from atinuke_bench.runs.verify import verify_runs
from atinuke_bench.training.predict import load_predictor
from atinuke_bench.training.prepare import prepare

JOINED = {"entailment": "entailment", "neutral": "non-entailment", "contradiction": "non-entailment"}


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def scored(runs, path, *, given_map=None, name=None, rerun=False):
    return list(evaluate_runs(runs, open_test_set(str(path), None, given_map, name), rerun=rerun))


def test_two_labels_for_three_give_the_accuracy_of_counting(snli, two_way, pairs):
    before = tree(snli[0].path)
    for run, outcome in zip(snli, scored(snli, two_way), strict=True):
        answers = load_predictor(run).predict([{"sentence1": p["first"], "sentence2": p["second"]} for p in pairs])
        right = [JOINED[a.prediction] == JOINED[p["verdict"]] for a, p in zip(answers, pairs, strict=True)]
        result = outcome.result
        assert result["score"] == pytest.approx(100 * sum(right) / len(pairs))
        assert result["sizes"] == {"test": len(pairs)}
        # Slices, each counted alone.
        for part, figures in result["slices"]["test"]["part"].items():
            own = [ok for ok, pair in zip(right, pairs, strict=True) if pair["part"] == part]
            assert figures["num"] == len(own)
            assert figures["accuracy"] == pytest.approx(100 * sum(own) / len(own))
        # The interval draws premises, as the declaration has it for pairs.
        sample = grouped(
            mean_sample([p["key"] for p in pairs], [float(ok) for ok in right]), [p["first"] for p in pairs]
        )
        assert result["resampled"] == {"unit": "first text", "num_units": len({p["first"] for p in pairs})}
        assert result["interval"] == pytest.approx(percentile_interval(sample, seed=result["run"]["seed"]))
        rows = pd.read_parquet(evaluation_of(run, "two-way").predictions)
        assert list(rows.columns) == ["split", "id", "prediction", "gold", "score", "unit"]
        assert set(rows["prediction"]) | set(rows["gold"]) <= set(JOINED.values())
        assert Counter(rows["gold"]) == Counter(JOINED[p["verdict"]] for p in pairs)
    after = tree(snli[0].path)
    assert {name: content for name, content in after.items() if not name.startswith("evaluations/")} == before


def test_the_run_s_own_test_set_gives_the_run_s_own_score(snli, write_set):
    rows = pd.read_parquet(snli[0].predictions)
    own = rows[rows["split"] == "test"]
    run = snli[0].read_config()
    texts = {row["id"]: row for row in prepare(run).loaded.splits["test"]}
    records = [
        {"key": i, "first": texts[i]["sentence1"], "second": texts[i]["sentence2"], "verdict": gold}
        for i, gold in zip(own["id"], own["gold"], strict=True)
    ]
    (outcome,) = scored(snli[:1], write_set("own", records))
    assert outcome.result["score"] == pytest.approx(snli[0].read_result()["score"])
    again = pd.read_parquet(evaluation_of(snli[0], "own").predictions)
    assert again["prediction"].tolist() == own["prediction"].tolist()


def test_what_is_there_is_not_repeated_and_what_changed_is_set_aside(snli, two_way, monkeypatch):
    run = snli[0]
    (first,) = scored([run], two_way)
    folder = evaluation_of(run, "two-way")
    before = tree(folder.path)
    (again,) = scored([run], two_way)
    assert (again.is_new, again.note) == (False, "")
    assert tree(folder.path) == before
    (anew,) = scored([run], two_way, rerun=True)
    assert anew.is_new
    assert anew.note == f"evaluated again; what was there is in {folder.path.parent / '.earlier-1' / 'two-way'}"
    assert tree(folder.path) == before == tree(folder.path.parent / ".earlier-1" / "two-way")
    # Another map, then other data.
    other = "entailment=entailment+neutral,non-entailment=contradiction"
    (mapped,) = scored([run], two_way, given_map=other)
    assert mapped.note.startswith("evaluated again: the map of labels changed; what was there is in ")
    assert mapped.result["score"] != first.result["score"]
    data = two_way.with_suffix(".txt")
    data.write_text(data.read_text().replace("\tentailment\t", "\tnon-entailment\t", 1))
    (changed,) = scored([run], two_way, given_map=other)
    assert changed.note.startswith("evaluated again: the data changed; ")
    assert [one.name for one in find_evaluations(run)] == ["two-way"]


def test_a_killed_evaluation_is_none_and_the_next_one_leaves_the_same_bytes(snli, two_way, tmp_path):
    run, code = snli[0], "atinuke_bench.evaluation_folder.write_json = lambda *_: os.kill(os.getpid(), signal.SIGKILL)"
    twin = RunFolder(shutil.copytree(run.path, tmp_path / "twin" / run.path.name))
    scored([twin], two_way)
    begin = "import os, signal, sys, atinuke_bench.evaluation_folder; from atinuke_bench.cli import main; "
    done = subprocess.run(
        [sys.executable, "-c", begin + code + "; main()", "evaluate", str(run.path), "--on", str(two_way)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    folder = evaluation_of(run, "two-way")
    assert folder.predictions.exists()
    assert not folder.result.exists()
    assert [verdict.problems for verdict in verify_runs([run.path])] == [[]], "an unfinished one is no damage"
    (outcome,) = scored([run], two_way)
    assert (outcome.is_new, outcome.note) == (True, "")
    assert tree(folder.path) == tree(evaluation_of(twin, "two-way").path)


def test_an_evaluation_is_no_run(snli, two_way, store):
    before = [folder.path for folder in find_runs(store)]
    scored(snli, two_way)
    assert [folder.path for folder in find_runs(store)] == before
    assert find_runs(snli[0].path / "evaluations") == []


def test_from_the_command_line(cli, store, two_way, snli):
    for name in ("config.yaml", "history.jsonl"):  # a run that was begun
        (store / "snli" / "bilstm" / "seed-9-begun").mkdir(exist_ok=True)
        shutil.copy(snli[0].path / name, store / "snli" / "bilstm" / "seed-9-begun" / name)
    done = cli("evaluate", store, "--on", two_way)
    assert done.status == 0, done.err
    left_out = [line for line in done.err.splitlines() if "left out" in line]
    assert len(left_out) == 5
    said = "\n".join(left_out)
    assert "the floor answers from the train split, which a run does not keep" in said
    assert "labels are the answers of classification/two-way, and not of glue/stsb" in said
    assert "labels are the answers of classification/two-way, and not of squad-v1.1" in said
    assert "seed-9-begun: two-way: left out" in said
    assert "not a finished run" in said
    assert done.out.count("two-way") == 2
    again = cli("evaluate", store, "--on", two_way, "--json")
    records = json.loads(again.out)
    assert [record["run"]["seed"] for record in records] == [0, 1]
    assert again.err.count("; it was there") == 2
    shown = cli("show", snli[0].path)
    assert "two-way" in shown.out
    assert json.loads(cli("show", snli[0].path, "--json").out)["evaluations"][0]["name"] == "two-way"


@pytest.mark.parametrize(
    ("change", "given", "message"),
    [
        (("", ""), "entailment=entailment,non-entailment=neutral", "labels of the run are left out: 'contradiction'"),
        (
            ("", ""),
            "entailment=entailment+neutral+contradiction,x=y",
            "the run has no label 'y'; it has entailment, neu",
        ),
        (
            ("slices:", "labels: [entailment, non-entailment]\nslices:"),
            "entailment=entailment+neutral,non_entailment=contradiction",
            "labels of the test set are left out: 'non-entailment'; nearest: 'non_entailment'",
        ),
        (("", ""), "entailment=entailment,non-entailment=neutrall+contradiction", "'neutral'; nearest: 'neutrall'"),
        (("", ""), "entailment=entailment,non-entailment=neutral+contradiction+other", "the run has no label 'other'"),
        (("", ""), "entailment", r"--map is LABEL=RUN_LABEL\+RUN_LABEL,LABEL=…; found 'entailment' in it"),
        (("", ""), "a=entailment+neutral,a=contradiction", "names each label of the test set once; found 'a' twice"),
        (
            ("", ""),
            "a=entailment+neutral,b=neutral+contradiction",
            "a label of the run once; 'neutral' is in 'a' and 'b'",
        ),
        (("map:", "#"), None, "txt:.*verdict: a label is one of those listed; found 'non-entailment'.*--map joins"),
        (("map:", "labels: [entailment, non-entailment] #"), None, "labels of the run are left out: 'neutral', 'con"),
        (("kind: classification", "kind: regression"), None, "map is of the labels of kind classification"),
        (("hypothesis: second, ", ""), None, "runs of snli read sentence1, sentence2; classification/two-way has sen"),
        (("{test:", "{train:"), None, "a test set has a split beside train, such as test; found only train"),
        (("[part]", "[prat]"), None, "prat: no such field; nearest: 'part'"),
        (("two-way.txt", "none.txt"), None, "splits.test: no file is named so; found 'none.txt'"),
        (("label: verdict", "label: part"), None, "a label is one of those listed; found '(short|long)'"),
    ],
)
def test_what_cannot_be_scored_is_told_in_one_line(cli, snli, two_way, change, given, message):
    assert change[0] in two_way.read_text()
    two_way.write_text(two_way.read_text().replace(*change))
    done = cli("evaluate", snli[0].path, "--on", two_way, *(["--map", given] if given else []))
    assert done.status == 2
    last = done.err.splitlines()[-1]
    assert re.search(message, last), last
    assert not (snli[0].path / "evaluations").exists(), "nothing half-written"


def test_a_split_without_examples_or_labels(cli, snli, two_way):
    data = two_way.with_suffix(".txt")
    header, *rows = data.read_text().splitlines()
    data.write_text(header + "\n")
    assert "split 'test' has no example" in cli("evaluate", snli[0].path, "--on", two_way).err
    data.write_text("\n".join([header, *(row.replace("entailment", "-").replace("non--", "-") for row in rows)]))
    assert "split 'test' has no labels" in cli("evaluate", snli[0].path, "--on", two_way).err
    assert "no test set 'hanz'; nearest: 'hans'" in cli("evaluate", snli[0].path, "--on", "hanz").err


def test_a_place_that_cannot_be_written_is_one_error(cli, snli, two_way):
    (snli[0].path / "evaluations").write_text("in the way")
    done = cli("evaluate", snli[0].path, "--on", two_way)
    assert done.status == 2
    assert done.err.splitlines()[-1].startswith(f"error: {snli[0].path}/evaluations: folder cannot be created")


def test_scores_are_evaluated_too(store, tmp_path):
    (run,) = (RunFolder(path) for path in (store / "glue/stsb/bilstm").iterdir())
    rows = [("a dog runs", "a dog sits", 1.5), ("he sees Ada", "she sees Ada", 4.0), ("the cat", "a cat", 3.0)]
    (tmp_path / "like.csv").write_text("a,b,score\n" + "".join(f"{a},{b},{score}\n" for a, b, score in rows))
    path = tmp_path / "like.yaml"
    path.write_text(
        "name: like\nkind: regression\nsplits: {test: like.csv}\nmetric: pearson\n"
        "fields: {text: a, text2: b, label: score}\n"
    )
    (outcome,) = scored([run], path)
    answers = load_predictor(run).predict([{"sentence1": a, "sentence2": b} for a, b, _ in rows])
    by_hand = pd.Series([answer.prediction for answer in answers]).corr(pd.Series([score for *_, score in rows]))
    assert outcome.result["score"] == pytest.approx(100 * by_hand, rel=1e-4)
    assert outcome.result["interval"] is None, "three units have none"


def test_a_run_on_three_sets_verifies_and_damage_is_named(cli, store, snli, two_way, write_set, pairs):
    run = snli[0]
    for path in (two_way, write_set("same", pairs), write_set("half", pairs[:30])):
        assert cli("evaluate", run.path, "--on", path).status == 0
    done = cli("verify", run.path, "--json")
    assert done.status == 0, done.out + done.err
    assert json.loads(done.out) == {"finished": 1, "unfinished": 0, "evaluations": 3, "damaged": [], "not_checked": []}
    half, same, two = (evaluation_of(run, name) for name in ("half", "same", "two-way"))
    half.predictions.write_bytes(half.predictions.read_bytes() + b"x")
    same.result.write_text(same.result.read_text().replace('"seed": 0', '"seed": 3', 1))
    # A result that its predictions do not give, with checksums that fit.
    record = two.read_result()
    record["scores"]["test"]["accuracy"] += 1
    record["score"] += 1
    two.write(two.read_declaration(), two.predictions.read_bytes(), record)
    done = cli("verify", store, "--json")
    assert done.status == 1
    problems = {entry["folder"]: entry["problems"] for entry in json.loads(done.out)["damaged"]}
    assert problems.keys() == {str(one.path) for one in (half, same, two)}
    assert problems[str(half.path)] == [
        "predictions.parquet: has changed since the run was finished (its checksum differs)"
    ]
    assert "its checksum differs" in problems[str(same.path)][0]
    assert "the predictions do not give the recorded accuracy" in problems[str(two.path)][0]
    before = run.read_result()
    assert cli("verify", store, "--reset").status == 0
    assert find_evaluations(run) == []
    assert run.read_result() == before, "the run is whole"
    assert cli("verify", run.path).status == 0
    assert cli("evaluate", run.path, "--on", two_way).status == 0


def test_an_evaluation_of_other_weights_is_named(cli, snli, two_way):
    scored(snli[:1], two_way)
    shutil.copytree(snli[0].path / "evaluations", snli[1].path / "evaluations")
    done = cli("verify", snli[1].path)
    assert done.status == 1
    assert "two-way: made with other weights than the run has now" in done.out
    (outcome,) = scored(snli[1:], two_way)
    assert outcome.note.startswith("evaluated again: the run, the run's weights")
    assert cli("verify", snli[1].path).status == 0


def test_a_suite_scores_its_runs_on_other_sets_and_goes_on(cli, tmp_path, two_way):
    suite = tmp_path / "sets" / "trial.yaml"
    text = (
        "name: trial\ntasks: [snli, glue/stsb]\nseeds: [0, 1]\nsource: {kind: microworld, microworld: "
        "{train: 60, dev: 10, test: 20}}\ncores: {small: {core: bilstm, preset: nano}}\n"
        "overrides: {training.max_epochs: 1, tokenizer.vocab_size: 200}\n"
    )
    suite.write_text(text)
    store = tmp_path / "store"
    place = (suite, "--out", store, "--workers", 1, "--wandb", "disabled")
    assert cli("suite", *place).status == 0
    record = json.loads((store / "suites" / "trial.json").read_text())
    assert "evaluate" not in record["suite"]
    suite.write_text(f"{text}evaluate: [two-way.yaml]\n")
    done = cli("suite", *place)
    assert done.status == 0, done.err
    (row,) = [line for line in done.out.splitlines() if line.startswith("two-way (snli)")]
    assert "(n=2)" in row
    assert done.err.count("left out") == 1, "one line for all runs of a task that has no such labels"
    scores = [evaluation_of(run, "two-way").read_result()["score"] for run in find_runs(store / "snli")]
    again = cli("suite", *place, "--json")
    assert again.err.count("; it was there") == 2
    assert [one["score"] for one in json.loads(again.out)["evaluations"]] == scores
    suite.write_text(f"{text}evaluate: [two-wai.yaml]\n")
    wrong = cli("suite", *place)
    assert (wrong.status, "no test set 'two-wai.yaml'" in wrong.err) == (2, True)
    report = cli("report", store, "--out", tmp_path / "report")
    assert report.status == 0, report.err
    table = pd.read_csv(tmp_path / "report" / "tables" / "test-sets.csv")
    assert table["mean"].tolist() == pytest.approx([sum(scores) / 2])


def test_a_built_in_set_needs_the_folder_of_its_files(cli, snli):
    done = cli("evaluate", snli[0].path, "--on", "hans")
    assert done.status == 2
    assert "is read from files in a folder: --data-dir DIR or $ATINUKE_DATA" in done.err


def test_training_again_sets_evaluations_aside_with_the_rest(snli, two_way):
    run = snli[0]
    scored([run], two_way)
    place = run.set_aside()
    assert place is not None
    assert (place / "evaluations" / "two-way" / "result.json").exists()
    assert find_evaluations(run) == []


def test_compare_names_the_other_test_sets(cli, store, two_way):
    assert cli("evaluate", store, "--on", two_way).status == 0
    done = cli("compare", "bilstm", "majority", "--runs", store)
    assert done.status == 0, done.err
    assert "scored on other test sets too, which `report` compares: two-way" in done.err
    assert json.loads(cli("compare", "bilstm", "majority", "--runs", store, "--json").out)["test_sets"] == ["two-way"]


def test_a_masked_language_model_keeps_its_measure(store, tmp_path):
    (tmp_path / "held.txt").write_text("The dog runs in the rain.\n\nA cat sleeps on the mat.\n" * 10)
    (tmp_path / "held.yaml").write_text("name: held\nkind: lm\nsplits: {test: held.txt}\n")
    run = RunFolder(next((store / "lm" / "bilstm").iterdir()))
    (outcome,) = scored([run], tmp_path / "held.yaml")
    assert outcome.error is None, outcome.note
    assert outcome.result["metric"] == run.read_result()["metric"] == "masked_loss"
    assert outcome.result["score"] > 1, "the loss of hidden tokens, and not bits of what is left"
    assert not [problem for verdict in verify_runs([run.path]) for problem in verdict.problems]


def test_spans_are_scored_by_the_rules_of_squad(store, tmp_path):
    text = "Ada went to the market. Ben went home."
    asked = [("q1", "Who went home?", "Ben", 24), ("q2", "Who went to the market?", "Ada", 0)]
    articles = []
    for number in range(9):
        qas = [
            {"id": f"{key}-{number}", "question": question, "answers": [{"text": answer, "answer_start": start}]}
            for key, question, answer, start in asked
        ]
        articles.append({"title": f"t{number}", "paragraphs": [{"context": text, "qas": qas}]})
    (tmp_path / "own.json").write_text(json.dumps({"version": "1.1", "data": articles}))
    (tmp_path / "own.yaml").write_text("name: own\nkind: span\nsplits: {test: own.json}\n")
    run = RunFolder(next((store / "squad-v1.1" / "bilstm").iterdir()))
    (outcome,) = scored([run], tmp_path / "own.yaml")
    assert outcome.error is None, outcome.note
    answers = load_predictor(run).predict([{"question": question, "context": text} for _, question, _, _ in asked])
    exact = [float(answer.prediction == right) for answer, (_, _, right, _) in zip(answers, asked, strict=True)]
    assert outcome.result["scores"]["test"]["exact_match"] == pytest.approx(50 * sum(exact))
    assert outcome.result["interval"] is not None, "nine articles are enough to draw"
