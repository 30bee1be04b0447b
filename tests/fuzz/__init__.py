"""From a parser's bytes to the relay's: whole exchanges with bytes and events nobody would send.

A case (`case`) is a list of events on both sides of a worker in memory: bytes in any pieces, ends,
time, narrow windows, connects that hang. `seeds` begins with the corpus, `mutate` changes tokens,
lengths, line ends, pieces and the order of events, `play` runs a case and judges it, `cover.c`
tells which cases reached an edge that none had reached before; those are changed further.

`python -m tests.fuzz --seconds 60 --seed 1` builds the variant `fuzz` (AddressSanitizer, UBSan,
BUG_ON) and runs; `python -m tests.fuzz.planted` shows that five planted bugs are found.
Read next: `case`.
"""
