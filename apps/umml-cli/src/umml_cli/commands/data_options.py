"""Options of several commands about how a data file is read and split."""

from __future__ import annotations

from typing import Annotated

import typer

FirstRowOption = Annotated[
    int | None, typer.Option("--first-row", help="From which number the file's split counts rows: 0 or 1.")
]
SplitSeedOption = Annotated[
    int | None, typer.Option("--split-seed", help="Draw a split by this random seed instead of the file's.")
]
QueriesOption = Annotated[
    int | None, typer.Option("--queries", help="Queries of a drawn split; default a tenth.")
]
TrainingOption = Annotated[
    int | None, typer.Option(help="Training rows of a drawn split; default all others.")
]
StratifiedOption = Annotated[
    bool, typer.Option("--stratified", help="Draw the split from each class in proportion.")
]
ValidationOption = Annotated[
    float,
    typer.Option(
        min=0,
        max=99,
        metavar="SHARE",
        help="Percentage of the training rows that are held out and take the place of the queries, to choose "
        "options without the query set; the same rows in every run.",
    ),
]

ColumnsOption = Annotated[
    str | None,
    typer.Option(help="Columns of a folder's table: image=filename,text=caption,labels=tags,split=set."),
]
SeparatorOption = Annotated[str | None, typer.Option(help="Separator of a CSV file; detected by default.")]
EncodingOption = Annotated[
    str | None,
    typer.Option(help="Character encoding of a folder's CSV, JSONL and text files; by default UTF-8."),
]
LabelSeparatorOption = Annotated[
    str | None, typer.Option(help="Separator between labels; by default the first of ; | and , that occurs.")
]
FolderLabelsOption = Annotated[
    bool,
    typer.Option(
        "--labels-from-folders", help="Take the folders of pictures as labels, even if there is a table."
    ),
]
KeepTogetherOption = Annotated[
    str,
    typer.Option(
        help="Pictures that a random split keeps in one part: identical, near-identical or same (path)."
    ),
]
