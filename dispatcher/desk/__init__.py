"""The desk: questions and commands of staff, and the tracking page of citizens, over HTTP."""
