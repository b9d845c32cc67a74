"""Pictures of results: `pixels` (PNG, without matplotlib), `plots` (figures), `widgets` to move, `pad` to draw on."""
