"""The schema's history: one file per change, run in order by `alur db upgrade`."""
