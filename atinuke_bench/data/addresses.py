"""Where official data is to be had, for who has none yet; `docs/data.md` says more of each, and its licence's terms."""

from __future__ import annotations

#: The task, or the first part of its name -> address and licence, as `docs/data.md` has them.
_ADDRESSES = {
    "squad-v1.1": ("https://rajpurkar.github.io/SQuAD-explorer/", "CC BY-SA 4.0"),
    "squad-v2.0": ("https://rajpurkar.github.io/SQuAD-explorer/", "CC BY-SA 4.0"),
    "snli": ("https://nlp.stanford.edu/projects/snli/", "CC BY-SA 4.0"),
    "glue": ("https://gluebenchmark.com/tasks", None),
    "superglue": ("https://super.gluebenchmark.com/tasks", None),
    "coref": ("https://github.com/dbamman/litbank", "CC BY 4.0"),
    "srl": ("https://github.com/propbank/propbank-release", "CC BY-SA 4.0"),
    "xnli": ("https://github.com/facebookresearch/XNLI", "CC BY-NC 4.0"),
    "pawsx": ("https://github.com/google-research-datasets/paws/tree/master/pawsx", None),
    "mlqa": ("https://github.com/facebookresearch/MLQA", "CC BY-SA 3.0"),
    "tagging/conll2003": ("https://www.clips.uantwerpen.be/conll2003/ner/", None),
    "tagging/ud-pos": ("https://universaldependencies.org", None),
}


def address_of(task: str) -> tuple[str, str | None] | None:
    """The address of a task's official data, and its licence where it has one for all; None for a task without any.

    >>> address_of("glue/rte")
    ('https://gluebenchmark.com/tasks', None)
    """
    return _ADDRESSES.get(task) or _ADDRESSES.get(task.partition("/")[0])


def where_from(task: str) -> str:
    """What to add to an error for who has no data yet; nothing for a task of a user's own.

    >>> where_from("snli")
    '; the data: https://nlp.stanford.edu/projects/snli/ (CC BY-SA 4.0), laid out as docs/data.md says'
    """
    found = address_of(task)
    if found is None:
        return ""
    address, licence = found
    return f"; the data: {address}{f' ({licence})' if licence else ''}, laid out as docs/data.md says"
