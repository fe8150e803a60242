"""Programs that benches run beside themselves, as processes of their own."""
