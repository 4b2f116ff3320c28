"""The test sets that come with the package read small files in the official layouts."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from atinuke_bench import registry
from atinuke_bench.config import make_run_config, read_declaration
from atinuke_bench.runs.evaluation.test_set import built_in_test_sets, open_test_set

HANS = (
    "gold_label sentence1_binary_parse sentence2_binary_parse sentence1_parse sentence2_parse sentence1 sentence2 "
    "pairID heuristic subcase template"
)
PARTS = ("lexical_overlap", "subsequence", "constituent", "subsequence")
#: Task of the runs, and what each task of AdvGLUE calls its texts.
ADVGLUE = {
    "sst2": ("glue/sst2", ("sentence",)),
    "qqp": ("glue/qqp", ("question1", "question2")),
    "mnli": ("glue/mnli", ("premise", "hypothesis")),
    "mnli-mm": ("glue/mnli", ("premise", "hypothesis")),
    "qnli": ("glue/qnli", ("question", "sentence")),
    "rte": ("glue/rte", ("sentence1", "sentence2")),
}
TASKS = {
    "hans": "snli",
    "paws": "glue/qqp",
    "snli-hard": "snli",
    "cad-nli": "glue/mnli",
    "cad-sentiment": "glue/sst2",
    **{f"advglue-{name}": task for name, (task, _) in ADVGLUE.items()},
}
#: Texts of other domains, in columns: test set -> task of the runs.
DOMAINS = {"ontogum": "coref", "litbank": "coref", "conll05-brown": "srl"}
#: A name, and the pronoun that means it.
COLUMNS = {
    "ontogum": "0\tAda\t(1)\n1\tsat\t{last}\n2\tas\t{last}\n3\tshe\t(1)\n",
    "litbank": "\n".join(
        "\t".join(["one", "0", str(place), word, *["_"] * 8, cell])
        for place, (word, cell) in enumerate([("Ada", "(1)"), ("sat", "{last}"), ("as", "{last}"), ("she", "(1)")])
    ),
}


def write_tsv(path: Path, names: str, rows: Sequence[tuple[str, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join("\t".join(row) for row in (names.split(), *rows)) + "\n")


@pytest.fixture(scope="module")
def official_sets(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    parses = ("( )",) * 4
    rows = [("non-entailment", *parses, f"He {n} .", "He .", f"ex{n}", part, "s", "t") for n, part in enumerate(PARTS)]
    write_tsv(folder / "hans" / "heuristics_evaluation_set.txt", HANS, rows)
    for split in ("dev", "test"):
        pairs = [("1", "a `` b ''", "b a", "0"), ("2", "c d", "d c", "1")]
        write_tsv(folder / "paws" / "final" / f"{split}.tsv", "id sentence1 sentence2 label", pairs)
    record = {"gold_label": "neutral", "sentence1": "A man.", "sentence2": "A tall man.", "pairID": "1.jpg#0r1n"}
    (folder / "snli-hard").mkdir()
    (folder / "snli-hard" / "snli_1.0_test_hard.jsonl").write_text(json.dumps(record) + "\n")
    cad = folder / "counterfactually-augmented-data"
    for kind in ("revised_combined", "original"):
        quoted = ('"Two women, in jackets saying ""Politie"", look."', "They wear red.", "neutral")
        write_tsv(cad / "NLI" / kind / "test.tsv", "sentence1 sentence2 gold_label", [quoted])
    for kind in ("new", "orig"):
        write_tsv(cad / "sentiment" / kind / "test.tsv", "Sentiment Text", [("Negative", "dull"), ("Positive", "fun")])
    advglue = {
        name: [{"idx": n, "label": n % 2, **dict.fromkeys(texts, f"text {n}")} for n in range(3)]
        for name, (_, texts) in ADVGLUE.items()
    }
    (folder / "advglue").mkdir()
    (folder / "advglue" / "dev.json").write_text(json.dumps(advglue))
    for name, place, last in (("ontogum", "gum/coref/ontogum/conll", "_"), ("litbank", "litbank/coref/conll", "-")):
        (folder / place).mkdir(parents=True)
        header = "" if name == "ontogum" else "(one); part 0"
        text = COLUMNS[name].format(last=last)
        (folder / place / "one.conll").write_text(f"#begin document {header}\n{text}\n#end document\n")
    brown = folder / "conll05st-release" / "test.brown"
    for kind, column in (("words", "Ada\nsat\n\n"), ("props", "-\t(A0*)\nsit\t(V*)\n\n")):
        (brown / kind).mkdir(parents=True)
        (brown / kind / f"test.brown.{kind}.gz").write_bytes(gzip.compress(column.encode()))
    return folder


def _task_and_run(name):
    return registry.load_task(name), make_run_config(name, "bilstm", preset="nano")


def test_each_is_named_after_its_file_and_known_to_this_test():
    declared = {name: read_declaration(path) for name, path in built_in_test_sets().items()}
    known = (*TASKS, "squad-addsent", *DOMAINS)
    assert {name: declaration.name for name, declaration in declared.items()} == {name: name for name in known}


def test_squad_with_a_sentence_added_is_read_for_runs_of_squad(tmp_path):
    answers = [{"text": "Ada", "answer_start": 0}]
    asked = [{"id": key, "question": "Who?", "answers": answers} for key in ("q1", "q1-high-conf")]
    paragraphs = [{"context": "Ada sat. Ben stood.", "qas": [one]} for one in asked]
    content = {"version": "1.1", "data": [{"title": "t", "paragraphs": paragraphs}]}
    (tmp_path / "squad-adversarial").mkdir()
    (tmp_path / "squad-adversarial" / "sample1k-HCVerifyAll.json").write_text(json.dumps(content))
    task, run = _task_and_run("squad-v1.1")
    fitted = open_test_set("squad-addsent", tmp_path).fit(task, run)
    examples = fitted.examples_for(task, "test")
    assert examples.features == task.features
    assert examples["question"][:] == ["Who?", "Who?"]


@pytest.mark.parametrize("name", TASKS)
def test_each_is_read_for_runs_of_its_task(official_sets, name):
    fitted = open_test_set(name, official_sets).fit(*_task_and_run(TASKS[name]))
    task = registry.load_task(TASKS[name])
    assert fitted.joined is not None
    assert set(fitted.joined) == set(task.data.label_names)
    for split, examples in fitted.loaded.splits.items():
        hidden = fitted.examples_for(task, split)
        assert hidden.features == task.features
        assert set(hidden["label"]) == {-1}
        assert set(fitted.task.data.gold(examples)) <= set(fitted.joined.values())
        assert all(hidden["sentence1"])


def test_quoted_fields_and_labels_by_number_are_what_they_mean(official_sets):
    cad = open_test_set("cad-nli", official_sets).fit(*_task_and_run("snli"))
    assert cad.loaded.splits["original"]["sentence1"][0] == 'Two women, in jackets saying "Politie", look.'
    mnli = open_test_set("advglue-mnli", official_sets).fit(*_task_and_run("snli"))
    assert mnli.joined == {"entailment": "0", "neutral": "1", "contradiction": "2"}
    assert open_test_set("hans", official_sets).fit(*_task_and_run("glue/rte")).joined == {
        "entailment": "entailment",
        "not_entailment": "non-entailment",
    }


def test_a_declared_task_is_a_test_set_too(official_sets):
    pairs = [("de", "Ein Hund rennt."), ("fr", "Un chien court.")]
    lines = [
        json.dumps({"language": language, "sentence1": text, "sentence2": "Nein.", "gold_label": "neutral"})
        for language, text in pairs
    ]
    folder = official_sets / "x"
    (folder / "XNLI-1.0").mkdir(parents=True)
    for split in ("dev", "test"):
        (folder / "XNLI-1.0" / f"xnli.{split}.jsonl").write_text("\n".join(lines) + "\n")
    found = open_test_set("xnli/de", folder)
    assert found.name == "xnli-de"
    assert "train" not in found.declaration.splits
    task, run = _task_and_run("snli")
    fitted = found.fit(task, run)
    assert fitted.examples_for(task, "test")["sentence1"][:] == ["Ein Hund rennt."]
    mapped = open_test_set("xnli/de", folder, "entailment=entailment+neutral,neutral=contradiction", "own")
    assert (mapped.name, mapped.declaration.task) == ("own", "xnli/de")


@pytest.mark.parametrize("name", DOMAINS)
def test_another_domain_is_read_for_runs_of_its_family(official_sets, name):
    task, run = _task_and_run(DOMAINS[name])
    fitted = open_test_set(name, official_sets).fit(task, run)
    assert list(fitted.loaded.splits) == ["test"]
    (example,) = fitted.examples_for(task, "test")
    assert example["words"][:2] == ["Ada", "sat"]
    assert fitted.task.data.gold(fitted.loaded.splits["test"])
