"""What is done to weights in closed form gives the numbers that it promises."""

import pytest
import torch
from transformers import BertConfig, BertModel, T5Config, T5ForConditionalGeneration

from export.batches import Batch, Encoded, collate
from export.student import PairInput, StudentShape, T5Classifier, aim_decoder, new_t5
from export.transplant import transplant

SEPARATOR = 2
SHAPE = StudentShape(width=32, layers=2, decoder_layers=2, heads=4, feed_forward=64)


def config(**changes: object) -> T5Config:
    plain: dict[str, object] = {
        "vocab_size": 64, "d_model": 16, "d_kv": 4, "num_heads": 4, "num_layers": 2, "num_decoder_layers": 3, "d_ff": 32,
        "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "dropout_rate": 0.0,
    }  # fmt: skip
    return T5Config(**(plain | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
        {"feed_forward_proj": "gelu", "num_decoder_layers": 1},
        {"d_kv": 8},
    ],
    ids=["t5", "t5-v1.1", "gelu", "heads wider than the model"],
)
def test_one_folded_decoder_step_equals_the_step_of_transformers(changes: dict[str, object]) -> None:
    torch.manual_seed(0)
    t5 = T5ForConditionalGeneration(config(**changes)).eval()
    ids = torch.randint(2, 50, (5, 11))
    mask = (torch.arange(11) < torch.tensor([[11], [1], [7], [11], [3]])).long()
    labels = [50, 53, 51]
    with torch.no_grad():
        start = torch.zeros(5, 1, dtype=torch.long)
        wanted = t5(input_ids=ids, attention_mask=mask, decoder_input_ids=start).logits[:, 0, labels]
        got = T5Classifier(t5, labels)(ids, mask)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)


def test_labels_that_share_a_token_are_refused() -> None:
    with pytest.raises(ValueError, match="distinct"):
        T5Classifier(T5ForConditionalGeneration(config()), [3, 3])


def batches(rows: int, *, seed: int) -> list[Batch]:
    generator = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(rows):
        ids = torch.randint(3, 60, (12,), generator=generator)
        ids[5] = SEPARATOR
        made.append(Encoded(ids=ids.tolist(), split=6, label=-1, kind=-1, weight=1.0))
    return [collate(made[at : at + 8], 0) for at in range(0, rows, 8)]


def test_a_transplanted_encoder_follows_bert_on_text_it_was_not_fitted_on() -> None:
    torch.manual_seed(0)
    bert = BertModel(
        BertConfig(
            vocab_size=64,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=64,
            max_position_embeddings=232,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    ).eval()
    front = PairInput(32, 12, SEPARATOR)
    student = T5Classifier(new_t5(SHAPE, vocabulary=64, pad=0, end=1), [60, 61, 62], front=front)
    with torch.no_grad():
        for name, weight in bert.named_parameters():
            if name.startswith("encoder") and weight.ndim == 2:
                weight.mul_(10.0)  # so that each block changes the stream a good deal
        student.t5.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight.zero_()
    readings = transplant(bert, student, batches(200, seed=1))
    (fresh,) = batches(8, seed=2)
    with torch.no_grad():
        wanted = bert(input_ids=fresh.ids, attention_mask=fresh.mask, token_type_ids=fresh.segment).last_hidden_state
        got = student.encode(fresh.ids, fresh.mask) @ readings[-1]
    assert torch.nn.functional.cosine_similarity(got, wanted, dim=-1).mean() > 0.95


def test_the_front_says_where_each_token_stands_and_that_text_after_the_first_separator_is_the_second() -> None:
    front = PairInput(4, 10, SEPARATOR)  # ten places, rounded up to 16
    with torch.no_grad():
        front.places.copy_(torch.arange(64.0).view(16, 4) ** 2)
        front.texts.copy_(torch.tensor([[0.0, 0.0, 0.0, 0.0], [5.0, -3.0, 2.0, 7.0]]))
    ids = torch.tensor([[7, SEPARATOR, 8, SEPARATOR, 0], [SEPARATOR, 7, 7, 7, 7]])
    words = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0))
    text = torch.tensor([[0, 0, 1, 1, 1], [0, 1, 1, 1, 1]])
    wanted = front.norm(words + front.places[:5] + front.texts[text])
    torch.testing.assert_close(front(words, ids), wanted)


def test_an_aimed_decoder_looks_at_the_response_and_not_only_at_all_tokens_alike() -> None:
    torch.manual_seed(0)
    model = T5Classifier(new_t5(SHAPE, vocabulary=64, pad=0, end=1), [60, 61, 62])
    made = []
    for seed in range(64):
        ids = torch.cat(
            [
                torch.tensor([2]),
                torch.randint(3, 30, (5,), generator=torch.Generator().manual_seed(seed)),
                torch.randint(30, 60, (6,), generator=torch.Generator().manual_seed(seed + 1000)),
            ]
        ).tolist()
        made.append(Encoded(ids=ids, split=6, label=-1, kind=-1, weight=1.0))
    data = [collate(made[at : at + 8], 0) for at in range(0, 64, 8)]
    aim_decoder(model, data)
    cross = model.t5.decoder.block[0].layer[1].EncDecAttention
    with torch.no_grad():
        states = model.encode(data[0].ids, data[0].mask)
        last_head = cross.k.weight.unflatten(0, (4, 8))[3, 0]
        weights = (states @ last_head).softmax(-1)
    assert weights[:, 6:].sum(1).mean() > 0.6  # half of the tokens: 0.5 where it looks at all alike
