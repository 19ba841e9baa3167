"""Pictures of result tables: they compute nothing."""
