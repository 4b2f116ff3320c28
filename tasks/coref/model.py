"""The coreference module: words from segments, mentions from starts and ends, antecedents from coarse to fine.

Scores come from the starts and ends of spans (Kirstain et al. 2021, "Coreference resolution without span
representations"): no vector is made for a span until it is one of the few candidates, so that memory grows with the
document. On top of the core's vectors every core is given the same lexical features, which `options.lexical` switches.

Legend of shapes: B documents of a batch, P pieces, G segments, S pieces of a segment, W words of a document, D hidden
size, H size of the head, L widest mention in words, K candidates, A antecedents kept for each.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from datasets import Dataset
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from atinuke_bench.config import RunConfig
from atinuke_bench.core.base import Core
from atinuke_bench.data.batching import padded_length
from atinuke_bench.data.features import Encoded
from atinuke_bench.errors import ConfigError
from atinuke_bench.heads.places import true_places
from atinuke_bench.tasks.coref.clusters import Clusters
from atinuke_bench.tasks.coref.decode import Scored, decode_clusters
from atinuke_bench.tasks.coref.lexicon import WORD_CLASSES
from atinuke_bench.tasks.coref.pairs import EncodedDocument, PairFeatures, Traits, as_column, read_traits
from atinuke_bench.tasks.coref.rows import GENRES, NUM_COUNT_BUCKETS
from atinuke_bench.tasks.coref.spans import Candidates, band, banded_products, select_candidates
from atinuke_bench.training.module import Batch, TaskModule
from atinuke_bench.training.task import Outputs, TaskModel, TaskOptions, options_of

_NEVER = -1e4


class CorefOptions(TaskOptions):
    """How documents are read, and how mentions and antecedents are scored."""

    from_data: ClassVar[tuple[str, ...]] = ("keeps_singletons",)

    #: Keep clusters of one mention: `auto` does what the train split's annotation does.
    singletons: Literal["auto", "keep", "drop"] = "auto"
    #: Pieces that neighbouring segments of `training.max_length` pieces share.
    overlap: int = Field(32, ge=0)
    max_width: int = Field(20, ge=1, description="words of the widest mention that can be found")
    candidates_per_word: float = Field(0.25, gt=0, le=1, description="candidate mentions kept, as a share of words")
    min_mention_score: float = Field(-3.0, description="least log-odds of a candidate")
    max_antecedents: int = Field(32, ge=1, description="antecedents of a candidate that are scored finely")
    size: int = Field(64, ge=8, description="size of the head's layers")
    dropout: float = Field(0.3, ge=0, lt=1, description="dropout in the head")
    #: Features from words alone: classes and capitals, equal strings, heads and first words, counts.
    lexical: bool = True
    distance: bool = True
    width: bool = True
    speaker: bool = True
    genre: bool = True
    #: Whether the train split annotates clusters of one mention; read from the data.
    keeps_singletons: bool | None = None

    @property
    def answers_singletons(self) -> bool:
        """Whether clusters of one mention are part of an answer; ConfigError where it was never read from the data."""
        if self.singletons != "auto":
            return self.singletons == "keep"
        if self.keeps_singletons is None:
            raise ConfigError(
                "options.keeps_singletons: is read from the train split, and this config has none; "
                "train the run again with this version"
            )
        return self.keeps_singletons


class CorefModel(TaskModel):
    """Predictions are clusters of spans."""

    def build(self, core: Core, run: RunConfig) -> TaskModule:
        return CorefModule(core, run, options_of(run, CorefOptions))

    def decode(self, outputs: Outputs, encoded: Encoded, examples: Dataset, run: RunConfig) -> dict[str, Clusters]:
        keep = options_of(run, CorefOptions).answers_singletons
        ids = examples["id"][:]
        predictions: dict[str, Clusters] = {}
        for output in outputs:
            for place, row in enumerate(output["rows"].tolist()):
                scored = Scored(**{name: output[name][place] for name in Scored._fields})
                predictions[ids[row]] = decode_clusters(scored, keep_singletons=keep)
        return predictions


class CorefModule(TaskModule):
    """Mention and antecedent scores of whole documents; a row is a document."""

    def __init__(self, core: Core, run: RunConfig, options: CorefOptions) -> None:
        super().__init__(core, run)
        self.options = options
        self.mentions = MentionScorer(core.hidden_size, options)
        self.antecedents = AntecedentScorer(core.hidden_size, options)

    def core_flops(self, num_tokens: int) -> int:
        """Operations of the core's forward pass over a document of `num_tokens` pieces in segments."""
        return num_tokens * self.core.flops_per_token(min(num_tokens, self.run.training.max_length))

    def loss(self, batch: Batch) -> Tensor:
        documents = zip(self.documents(batch), self._gold(batch), strict=True)
        with torch.autocast(self.device.type, enabled=False):  # sums over a document are too long for bfloat16
            return torch.stack([self._document_loss(document, *gold) for document, gold in documents]).mean()

    def outputs(self, batch: Batch) -> dict[str, Tensor]:
        """Candidates of every document, padded to the most: `starts` and `ends` are -1 in padding."""
        documents = self.documents(batch)
        with torch.autocast(self.device.type, enabled=False):
            rows = [self._document_outputs(document) for document in documents]
        padding = {"starts": -1.0, "ends": -1.0, "mention_score": _NEVER, "antecedent": 0.0, "link_score": _NEVER}
        return {name: _stack([row[name] for row in rows], value) for name, value in padding.items()}

    def documents(self, batch: Batch) -> list[EncodedDocument]:
        """The documents of a batch; a word's vector is the mean of its pieces in the segment it is read from."""
        sizes = self.sizes(batch)
        hidden = self._encode_segments(batch, sizes).float()  # (all pieces of the batch, D)
        documents, place = [], 0
        numbers = zip(sizes["num_pieces"].tolist(), sizes["num_words"].tolist(), strict=True)
        for row, (num_pieces, num_words) in enumerate(numbers):
            pieces, readers = hidden[place : place + num_pieces], batch["piece_word"][row, :num_pieces]
            place += num_pieces
            columns = {
                name: batch[name][row, :num_words]
                for name in ("sentence", "word_id", "word_class", "head_limit", "count_bucket", "speaker")
            }
            documents.append(
                EncodedDocument(mean_pieces(pieces, readers, num_words), genre=batch["genre"][row], **columns)
            )
        return documents

    def row_sizes(self, batch: Batch) -> dict[str, Tensor]:
        return {
            "num_pieces": batch["attention_mask"].sum(dim=1),
            "num_words": (batch["sentence"] >= 0).sum(dim=1),
            "num_gold": (batch["gold_cluster"] >= 0).sum(dim=1),
            "num_segments": (batch["segment_lengths"] > 0).sum(dim=1),
            "longest_segment": batch["segment_lengths"].amax(dim=1),
        }

    def _encode_segments(self, batch: Batch, sizes: dict[str, Tensor]) -> Tensor:
        """Hidden vectors of all pieces, documents and segments in order, padding left out."""
        num_pieces, longest = int(sizes["num_pieces"].sum()), int(sizes["longest_segment"].max())
        lengths = batch["segment_lengths"].flatten()
        lengths = lengths[true_places(lengths > 0, int(sizes["num_segments"].sum()))]  # (G,)
        ids = batch["input_ids"].flatten()[true_places(batch["attention_mask"], num_pieces)]
        width = padded_length(longest, self.run.training.max_length, ids.device)
        mask = torch.arange(width, device=ids.device) < lengths[:, None]  # (G, S)
        padded = torch.zeros(mask.shape, dtype=ids.dtype, device=ids.device)
        places = true_places(mask, num_pieces)
        padded.view(-1)[places] = ids
        # All of one type; without any, the core's embedding of types would be a parameter that never learns.
        return self.core(padded, mask, segment_ids=torch.zeros_like(padded)).flatten(0, 1)[places]

    def _gold(self, batch: Batch) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Start, end and cluster of the gold mentions of each document."""
        columns = (batch["gold_start"], batch["gold_end"], batch["gold_cluster"])
        numbers = self.sizes(batch)["num_gold"].tolist()
        rows = zip(numbers, *columns, strict=True)
        return [(starts[:number], ends[:number], clusters[:number]) for number, starts, ends, clusters in rows]

    def _document_loss(self, document: EncodedDocument, starts: Tensor, ends: Tensor, clusters: Tensor) -> Tensor:
        scores = self.mentions(document)  # (W, L)
        gold = starts * scores.shape[1] + ends - starts
        is_gold = torch.zeros(scores.numel(), device=scores.device)
        is_gold[gold] = 1.0
        mention_loss = F.binary_cross_entropy_with_logits(scores.flatten(), is_gold, reduction="sum")
        # Gold mentions always take part: links can be learned before mentions are found.
        candidates = self._select(document, scores, always=gold, is_fixed=scores.device.type != "cpu")
        cluster_of = torch.full((scores.numel(),), -1, device=scores.device)
        cluster_of[gold] = clusters
        cluster = cluster_of[candidates.starts * scores.shape[1] + candidates.ends - candidates.starts]  # (K,)
        links, antecedents = self.antecedents(document, candidates)
        link_loss = marginal_loss(links, antecedents, cluster, candidates.is_real)
        return mention_loss / max(1, len(gold)) + link_loss

    def _document_outputs(self, document: EncodedDocument) -> dict[str, Tensor]:
        scores = self.mentions(document)
        candidates = self._select(document, scores)
        links, antecedents = self.antecedents(document, candidates)
        return {
            "starts": candidates.starts,
            "ends": candidates.ends,
            "mention_score": candidates.scores,
            "antecedent": antecedents,
            "link_score": links,
        }

    def _select(
        self, document: EncodedDocument, scores: Tensor, always: Tensor | None = None, *, is_fixed: bool = False
    ) -> Candidates:
        num = math.ceil(self.options.candidates_per_word * len(document))
        return select_candidates(scores, num, self.options.min_mention_score, always, is_fixed=is_fixed)


class MentionScorer(nn.Module):
    """Log-odds that a span is a mention: start + end + start x end + width."""

    def __init__(self, hidden_size: int, options: CorefOptions) -> None:
        super().__init__()
        size = options.size
        self.max_width = options.max_width
        self.words = WordLayer(hidden_size, options)
        self.start = nn.Sequential(nn.Linear(2 * self.words.size, size), nn.GELU(), nn.Dropout(options.dropout))
        self.end = nn.Sequential(nn.Linear(2 * self.words.size, size), nn.GELU(), nn.Dropout(options.dropout))
        self.start_score, self.end_score = nn.Linear(size, 1), nn.Linear(size, 1)
        self.pair = nn.Linear(size, size, bias=False)
        self.width_score = nn.Parameter(torch.zeros(options.max_width)) if options.width else None
        # One span in three hundred is a mention; starting from there spares the first epoch.
        nn.init.constant_(self.start_score.bias, -4.0)

    def forward(self, document: EncodedDocument) -> Tensor:  # (W, L)
        words = self.words(document)  # (W, ...)
        before, after = _shifted(words, 1), _shifted(words, -1)
        # A start is also known by the word before it, an end by the word after it, which a causal core has not seen.
        starts = self.start(torch.cat([before, words], dim=-1))  # (W, H)
        ends = self.end(torch.cat([words, after], dim=-1))
        width = min(self.max_width, len(document))
        scores = banded_products(self.pair(starts) / math.sqrt(starts.shape[-1]), ends, width)  # (W, L)
        scores = scores + self.start_score(starts) + band(self.end_score(ends)[:, 0], width, 0.0)
        if self.width_score is not None:
            scores = scores + self.width_score[:width]
        within = band(document.sentence, width, -1) == document.sentence[:, None]
        return scores.masked_fill(~within, _NEVER)


class WordLayer(nn.Module):
    """A word's hidden vector with embeddings of its class and count, if lexical features are on."""

    def __init__(self, hidden_size: int, options: CorefOptions, lexical_size: int = 16) -> None:
        super().__init__()
        self.dropout = nn.Dropout(options.dropout)
        self.word_class = nn.Embedding(len(WORD_CLASSES), lexical_size) if options.lexical else None
        self.count = nn.Embedding(NUM_COUNT_BUCKETS, lexical_size) if options.lexical else None
        self.size = hidden_size + (lexical_size if options.lexical else 0)

    def forward(self, document: EncodedDocument) -> Tensor:  # (W, size)
        hidden = self.dropout(document.hidden)
        if self.word_class is None or self.count is None:
            return hidden
        return torch.cat([hidden, self.word_class(document.word_class) + self.count(document.count_bucket)], dim=-1)


class AntecedentScorer(nn.Module):
    """Link scores of candidates with the antecedents that a coarse score picks; the score of no link is 0."""

    def __init__(self, hidden_size: int, options: CorefOptions) -> None:
        super().__init__()
        size = options.size
        self.options = options
        self.words = WordLayer(hidden_size, options)
        # A candidate is its start, its end, and its head: the last word before a preposition or relative clause.
        self.span = nn.Sequential(nn.Linear(3 * self.words.size, size), nn.GELU(), nn.Dropout(options.dropout))
        self.coarse = nn.Linear(size, size, bias=False)
        pair_switches = options.model_dump(include={"lexical", "distance", "speaker"})
        self.coarse_pairs = PairFeatures(1, **pair_switches)
        self.anaphor, self.antecedent = nn.Linear(size, size), nn.Linear(size, size, bias=False)
        self.anaphor_gate, self.antecedent_gate = nn.Linear(size, size), nn.Linear(size, size)
        self.pairs = PairFeatures(size, **pair_switches)
        self.genre = nn.Embedding(len(GENRES) + 1, size) if options.genre else None
        self.dropout = nn.Dropout(options.dropout)
        self.score = nn.Linear(size, 1)

    def forward(self, document: EncodedDocument, candidates: Candidates) -> tuple[Tensor, Tensor]:  # (K, A), (K, A)
        traits = read_traits(document, candidates)
        words = self.words(document)
        heads = torch.minimum(document.head_limit[candidates.starts], candidates.ends)
        spans = self.span(torch.cat([words[candidates.starts], words[candidates.ends], words[heads]], dim=-1))  # (K, H)
        picked = self._pick(spans, candidates.scores, traits)  # (K, A)
        coarse = self._coarse(spans, candidates.scores, traits, picked)
        fine = self._fine(spans, traits, picked, document.genre)
        scores = coarse + fine + F.logsigmoid(candidates.scores)[:, None]
        return scores.masked_fill(picked >= traits.order[:, None], _NEVER), picked

    @torch.no_grad()
    def _pick(self, spans: Tensor, mention_scores: Tensor, traits: Traits) -> Tensor:  # (K, A)
        """The antecedents with the best coarse scores, in blocks of candidates, so that no K x K is ever kept."""
        num = len(spans)
        keys = self.coarse(spans) / math.sqrt(spans.shape[-1])  # (K, H)
        kept = []
        for begin in range(0, num, 256):
            end = min(begin + 256, num)
            rows, others = torch.arange(begin, end, device=spans.device), torch.arange(end, device=spans.device)
            scores = spans[rows] @ keys[others].T + F.logsigmoid(mention_scores[others])
            scores = scores + self.coarse_pairs(traits.take(rows[:, None]), traits.take(others[None]))[..., 0]
            scores = scores.masked_fill(others >= rows[:, None], _NEVER)
            num_kept = min(self.options.max_antecedents, num)
            found = scores.topk(min(num_kept, len(others)), dim=1).indices
            kept.append(F.pad(found, (0, num_kept - found.shape[1]), value=num))
        # The number K means no antecedent; K - 1, which precedes nobody, replaces it for indexing.
        if not kept:
            return torch.zeros(0, 1, dtype=torch.int64, device=spans.device)
        return torch.cat(kept).clamp(max=num - 1)

    def _coarse(self, spans: Tensor, mention_scores: Tensor, traits: Traits, picked: Tensor) -> Tensor:  # (K, A)
        keys = self.coarse(spans) / math.sqrt(spans.shape[-1])
        scores = torch.einsum("kh,kah->ka", spans, keys[picked]) + F.logsigmoid(mention_scores)[picked]
        return scores + self.coarse_pairs(as_column(traits), traits.take(picked))[..., 0]

    def _fine(self, spans: Tensor, traits: Traits, picked: Tensor, genre: Tensor) -> Tensor:  # (K, A)
        first = self.anaphor(spans)
        if self.genre is not None:
            first = first + self.genre(genre)
        hidden = first[:, None] + self.antecedent(spans)[picked]  # (K, A, H)
        hidden = hidden + self.anaphor_gate(spans)[:, None] * self.antecedent_gate(spans)[picked]
        hidden = hidden + self.pairs(as_column(traits), traits.take(picked))
        # One mask for all antecedents of a candidate: a mask of (K, A, H) took a sixth of a training step.
        mask = self.dropout(torch.ones_like(first))[:, None]
        return self.score(F.gelu(hidden) * mask)[..., 0]


def marginal_loss(
    links: Tensor,  # (K, A)
    antecedents: Tensor,  # (K, A)
    cluster: Tensor,  # (K,)
    is_real: Tensor | None = None,  # (K,) bool
) -> Tensor:
    """Mean over candidates of -log of the probability of all antecedents in the same gold cluster, or of no link.

    Only real candidates count, by default all.
    """
    if len(cluster) == 0:
        return links.sum()
    right = (cluster[antecedents] == cluster[:, None]) & (cluster >= 0)[:, None] & (links > _NEVER / 2)
    scores = F.pad(links, (1, 0))  # (K, 1 + A)
    right = torch.cat([~right.any(dim=1, keepdim=True), right], dim=1)
    losses = scores.logsumexp(dim=1) - scores.masked_fill(~right, -math.inf).logsumexp(dim=1)
    if is_real is None:
        return losses.mean()
    return torch.where(is_real, losses, 0.0).sum() / is_real.sum().clamp(min=1)


def mean_pieces(pieces: Tensor, readers: Tensor, num_words: int) -> Tensor:  # (P, D), (P,) -> (W, D)
    """The mean of the pieces that each word reads.

    >>> mean_pieces(torch.tensor([[9.0], [1.0], [3.0]]), torch.tensor([-1, 0, 0]), 1).tolist()
    [[2.0]]
    """
    # What nobody reads is added up behind the words.
    readers = torch.where(readers >= 0, readers, num_words)
    counts = readers.new_zeros(num_words + 1).index_add(0, readers, torch.ones_like(readers))
    total = pieces.new_zeros(num_words + 1, pieces.shape[1]).index_add(0, readers, pieces)
    return total[:num_words] / counts[:num_words, None]


def _shifted(words: Tensor, by: int) -> Tensor:  # (W, H)
    """The vectors of the words `by` places before; zero outside the document."""
    return F.pad(words[:-by], (0, 0, by, 0)) if by > 0 else F.pad(words[-by:], (0, 0, 0, -by))


def _stack(rows: list[Tensor], padding: float) -> Tensor:
    """Tensors of the same number of dimensions, filled up to the largest and stacked."""
    shape = [max(row.shape[axis] for row in rows) for axis in range(rows[0].ndim)]
    stacked = rows[0].new_full((len(rows), *shape), padding)
    for number, row in enumerate(rows):
        stacked[number][tuple(slice(length) for length in row.shape)] = row
    return stacked
