"""How networks are trained: rows from memory or Parquet, batches, schedules, checkpoints, layers for the inputs."""
