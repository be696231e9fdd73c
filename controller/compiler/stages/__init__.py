"""One file for each table of the pipeline, with the table's name: `service` makes the flows of `service`."""
