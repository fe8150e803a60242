"""What every door calls: start, see, wait for, decide, stop and list repairs; see and reset records."""
