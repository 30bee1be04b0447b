/* Owns: which edges of the instrumented core have run in this process.
 * Thread and GIL: one thread; called at the start of each basic block of the variant `fuzz`.
 * Never does: allocate, or know what a block is for.
 * Read next: engine.py, which preloads it and asks. */

#include <stdint.h>

#define SLOTS (1u << 20)

static uint8_t edge_seen[SLOTS];
static uint8_t block_seen[SLOTS];
static uint32_t edges, blocks, fresh;
static uint64_t before;

static uint32_t slot_of(uint64_t x) { return (uint32_t)((x * 0x9E3779B97F4A7C15ull) >> 44); }

void __sanitizer_cov_trace_pc(void) {
    uint64_t here = (uint64_t)(uintptr_t)__builtin_return_address(0);
    uint32_t block = slot_of(here);
    uint32_t edge = slot_of(here ^ (before << 1));
    before = here;
    if (!block_seen[block]) {
        block_seen[block] = 1;
        blocks++;
    }
    if (!edge_seen[edge]) {
        edge_seen[edge] = 1;
        edges++;
        fresh++;
    }
}

/* Edges that ran for the first time since this was last asked. */
uint32_t cover_fresh(void) {
    uint32_t found = fresh;
    fresh = 0;
    before = 0;
    return found;
}

uint32_t cover_edges(void) { return edges; }
uint32_t cover_blocks(void) { return blocks; }
