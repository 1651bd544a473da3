"""Joins what the classifier said with the user's own texts, and draws the sample to label."""

import numpy as np

from stream.core.taxonomy import Taxonomy
from stream.errors import InputError
from stream.labelling import folder, picking
from stream.labelling.predictions import Predictions
from stream.labelling.texts import ResponseLog, harmless


def draw(
    predictions: Predictions, log: ResponseLog, taxonomy: Taxonomy, *, budget: int, seed: int
) -> tuple[folder.Design, list[folder.SampleRow]]:
    """Returns the design of a sample of the responses that have a text in the log, and its rows in the order to ask for.

    Raises:
        InputError: no response has a text, several classifiers labelled them, or the budget is too small.
    """
    if len(predictions.classifiers) > 1:
        raise InputError(
            f"the responses were labelled by {len(predictions.classifiers)} classifiers, whose errors differ; "
            "choose a time with --since and --until when there was one"
        )
    known = log.ids()
    joined = predictions.at([place for place, name in enumerate(predictions.event_id) if name in known])
    if not joined.event_id:
        raise InputError(
            f"none of the {len(predictions.event_id):,} scored responses has its text in these logs (event_id differs); "
            "name the logs that were scored, with the same --map or --format"
        )
    category, probs = joined.category, joined.probs
    try:
        strata = picking.pick(category, probs, budget=budget, seed=seed)
    except ValueError as error:
        raise InputError(f"{error}; raise -n") from None
    order = list(picking.in_order(strata, seed=seed))
    texts = log.texts(frozenset(joined.event_id[place] for _, place in order))
    rows = []
    for stratum, place in order:
        event_id = joined.event_id[place]
        if event_id not in texts:
            raise InputError("the logs changed while they were read; pick again when they are at rest")
        prompt, response = map(harmless, texts[event_id])
        rows.append(
            folder.SampleRow(
                row=folder.row_name(event_id, place),
                stratum=stratum,
                event_id=event_id,
                probs=tuple(probs[place].tolist()),
                prompt=prompt,
                response=response,
            )
        )
    covariance = np.atleast_2d(np.cov(probs, rowvar=False, bias=True))
    design = folder.Design(
        schema=folder.SCHEMA,
        monitor=joined.monitors[0],
        classifier=next(iter(joined.classifiers)),
        categories=taxonomy.names,
        seed=seed,
        responses=len(joined.event_id),
        without_text=len(predictions.event_id) - len(joined.event_id),
        counts=tuple(np.bincount(category, minlength=len(taxonomy)).tolist()),
        mean=tuple(probs.mean(axis=0).tolist()),
        covariance=tuple(map(tuple, covariance.tolist())),
        strata=tuple(
            folder.StratumEntry(
                category=taxonomy.names[each.category],
                sure=each.sure,
                size=len(each.members),
                mean=tuple(probs[each.members].mean(axis=0).tolist()),
            )
            for each in strata
        ),
    )
    return design, rows
