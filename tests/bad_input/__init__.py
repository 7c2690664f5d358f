"""What a hostile, broken or unlucky sender does to the public HTTP edges, by what is attacked.

Every case is sent to the real thing and ends the same way: a clear answer (a 4xx as problem+json that echoes nothing,
or 2xx where the input is odd but right), never a 5xx, never silence, and the next honest request works. What a module
of one room can show alone stays in that room's tests; here is what only the whole shows.

- `test_connections`: sockets that drip, stall, lie about lengths, smuggle, or are too many (a bare service).
- `test_bodies`: every operation that takes a body, with every bad body (the city).
- `test_times`, `test_texts`, `test_ids`: values that parse and mean harm (the city).
- `test_openapi`: schemathesis: what the document promises is what is answered (the city).
- `test_photo_fuzz`: mutated photos through the decoding process.

Kafka's records and the feed's messages have their own tests, in `tests/dispatcher` and `tests/command_center_ui`.
"""
