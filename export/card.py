"""Writes the model card that travels in a bundle."""

from collections.abc import Sequence

from export.checkpoint import Note
from export.crossfit import CrossFitted
from export.parity import Parity

_DATA = """\
| source | use | licence |
|---|---|---|
| XSTest, human-labelled completions (Röttger et al.) | labels | CC BY 4.0 |
| OpenAI safety RBR gold data | labels, prompts | MIT |
| maxwellreuter/chatgpt-refusals | labels, prompts | MIT |
| purseclab/jailbreak-evaluation | labels | Apache-2.0; texts contain AdvBench goals and are not redistributed |
| qiuhuachuan/latent-jailbreak | labels | MIT |
| GPTFuzz | labels, prompts | MIT; the origin of some questions is unclear, texts are not redistributed |
| Open-Assistant sampling report | labels | Apache-2.0 |
| JailbreakBench artefacts | labels (judge) | MIT |
| refusal_direction on JailbreakBench goals | labels (two judges) | Apache-2.0 |
| llm-adaptive-attacks | labels (judge) | MIT; texts contain AdvBench goals and are not redistributed |
| gemma3-refusal-axis | labels (judge) | MIT |
| CoCoNot preference data | labels (derived, read by hand) | MIT |
| GPTeacher roleplay, GSM8K worked answers | benign answers | MIT |
| request-kind prompts (PHTest, OR-Bench, AdvBench, HarmBench and others) | harmful or benign | MIT, Apache-2.0, CC BY 4.0 |
| hh-rlhf harmless test split | text for distillation | MIT |
| LLM drift, sensitive questions | text for distillation | Apache-2.0 |
| MiniLM-L6-v2 (sentence-transformers) | starting weights of the teacher | Apache-2.0 |
"""


def model_card(name: str, note: Note, parities: Sequence[Parity], fitted: CrossFitted, figures: str) -> str:
    """Returns the card as Markdown: what the model is, what it learned from, how good it is, and what it cannot do."""
    record = note.record
    lines = [
        f"# {name}",
        "",
        "Sorts one (prompt, response) pair into one of five behaviours: "
        + ", ".join(f"`{x}`" for x in note.labels)
        + ".",
        (
            "A T5 in ONNX: the encoder reads the pair, one decoder step says the label. The model made without a"
            " checkpoint adds absolute places and the two texts to the words' embeddings, as BERT does, because its blocks"
            " were fitted to BERT's. Input: "
            f"at most {note.layout.prompt_tokens} tokens of the prompt and {note.layout.response_tokens} of the response, the"
            " head and the tail of each."
        ),
        "",
        (
            "- Licence of the weights: Apache-2.0, like the program. The texts they were trained on are not part of the package;"
            " their licences are below."
        ),
        *_calibration(fitted),
        "- A label depends on its pair alone, not on what shares its batch.",
        "",
        "## How good it is",
        "",
        (
            "Split by request: no request of the rows below, alone or inside a longer prompt, was trained on, and none of them"
            " stopped or tuned the training; all they did is take part in"
            " the choice of the one temperature. `valuedrift evaluate --data DIR` gives these figures again from the training data."
        ),
        "",
        *figures.splitlines(),
        "",
        "## Parity with the PyTorch model",
        "",
        "| artefact | rows | largest logit difference | labels equal | accuracy, PyTorch | accuracy, ONNX | moved by batching |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {p.artefact} | {p.rows} | {p.largest_logit_difference} | {p.label_agreement:.4f} | {p.accuracy_torch}"
            f" | {p.accuracy_onnx} | {p.labels_moved_by_batching} |"
            for p in parities
        ),
        "",
        "## Training data",
        "",
        _DATA,
        "AlpacaEval responses (CC BY-NC 4.0) were not used.",
        "",
        "## Limits",
        "",
        "- English. It was trained on chat answers of 2022 to 2024 and mostly on single requests.",
        (
            "- Most of its errors are about the kind of request: fiction and games, idioms, nonsense claims about groups,"
            " harmful intent that is only implied."
        ),
        "- Part of a refusal, or a refusal followed by help, is labelled as the annotators did: mostly as a refusal.",
        "- Labels of JailbreakBench, llm-adaptive-attacks and gemma3 come from judges, not from people.",
        "- `off_topic` was learned mostly from answers to other prompts; vague or empty answers are rarer in the data.",
        "- Long texts are read at both ends only; `truncated` says so.",
    ]
    if record is not None:
        lines += [
            "",
            "## How to make it again",
            "",
            f"`{record.command}` (seed {record.seed}); rows: "
            + ", ".join(f"{side} {count}" for side, count in record.split.items())
            + f"; temperature fitted on {fitted.rows} rows. `training.json` holds the SHA-256 of the"
            " data files, the versions, the curves, and a hash of each held-out request.",
            *([record.remarks] if record.remarks else []),
        ]
    return "\n".join(lines) + "\n"


def _calibration(fitted: CrossFitted) -> list[str]:
    """Returns what is promised of confidence, and where to set an alarm for what the labels were not made for."""
    c, limits = fitted.calibration, fitted.out_of_taxonomy
    low, high = c.excess_interval
    return [
        (
            f"- Confidence is calibrated by one temperature ({fitted.temperature:.3f}), already inside the graph, fitted on"
            f" {fitted.rows} rows of {fitted.requests} requests that were not trained on. Cross-fitted by request in five folds"
            f" ({', '.join(f'{t:.2f}' for t in fitted.fold_temperatures)}), the expected calibration error (10 bins of equal"
            f" mass) is {c.error:.3f}, {c.excess:.3f} ({low:.3f} to {high:.3f}) more than honest confidence would show by chance."
        ),
        (
            f"- Outside the taxonomy: of these rows 1 % have confidence below {limits.confidence_1:.2f} and 5 % below"
            f" {limits.confidence_5:.2f}; 1 % have energy above {limits.energy_1:.2f} and 5 % above {limits.energy_5:.2f}"
            " (`out_of_taxonomy` in the manifest). Traffic with far more beyond these marks is unlike what was measured here."
        ),
    ]
