"""One file for each table of the pipeline, with the table's name: a wrong flow in `service` is made there."""
