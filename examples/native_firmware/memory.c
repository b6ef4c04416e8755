/*
 * Non-volatile memory: two copies of one record, written in turn and in pieces; at the start the newest whole one counts.
 *
 * A record is words of 32 bits: sequence, CRC, format, words of the pack, words of each cell. A write takes one piece a tick:
 * first sequence and CRC of the older copy become 0, so that it is no record whatever happens from there on; then the words
 * behind them; last sequence and CRC. A loss of supply anywhere leaves the other copy as it was. Latched limits are no part
 * of it: each is a byte of its own, written when it trips.
 */
#include <math.h>
#include <string.h>

#include "bms.h"

enum { SEQUENCE, CRC, FORMAT, HEAD };
enum { CHARGED_LOW, CHARGED_HIGH, DISCHARGED_LOW, DISCHARGED_HIGH, ZERO_UA, ON_S, EVENTS, PACK_WORDS };
#define CELL_WORDS 2
#define WORDS (HEAD + PACK_WORDS + CELL_WORDS * N_CELLS)
#define PIECE_WORDS 16u
#define VERSION (1u << 16 | N_CELLS)
#define COPY_BYTES 4096u
#define LATCHES 8192u
#define LATCHED 0xA5u
#define UNIT 1e9f

static uint32_t crc32(uint32_t crc, uint32_t word)
{
    for (int n = 0; n < 32; n++) {
        uint32_t bit = (crc ^ word >> n) & 1u;
        crc = crc >> 1 ^ (bit ? 0xEDB88320u : 0u);
    }
    return crc;
}

static uint32_t fixed(float number, float unit)
{
    return (uint32_t)(int32_t)(number * unit + (number < 0.0f ? -0.5f : 0.5f));
}

static uint32_t word(const struct bms *b, unsigned n)
{
    if (n == FORMAT)
        return VERSION;
    switch (n - HEAD) {
    case CHARGED_LOW:
        return (uint32_t)((uint64_t)b->charged_nAh & 0xFFFFFFFFu);
    case CHARGED_HIGH:
        return (uint32_t)((uint64_t)b->charged_nAh >> 32);
    case DISCHARGED_LOW:
        return (uint32_t)((uint64_t)b->discharged_nAh & 0xFFFFFFFFu);
    case DISCHARGED_HIGH:
        return (uint32_t)((uint64_t)b->discharged_nAh >> 32);
    case ZERO_UA:
        return fixed(b->zero_A, 1e6f);
    case ON_S:
        return (uint32_t)(b->on_ms / 1000u);
    case EVENTS:
        return (uint32_t)b->deep | (uint32_t)b->over << 8 | (uint32_t)b->under << 16;
    default: {
        unsigned k = n - HEAD - PACK_WORDS;
        const struct cell *c = &b->cell[k / CELL_WORDS];
        return fixed(k % CELL_WORDS == 0u ? c->kept_z : c->kept_sigma, UNIT);
    }
    }
}

static bool whole(const uint32_t *record)
{
    if (record[SEQUENCE] == 0u || record[FORMAT] != VERSION)
        return false;
    uint32_t crc = 0xFFFFFFFFu;
    for (unsigned n = FORMAT; n < WORDS; n++)
        crc = crc32(crc, record[n]);
    return (crc32(crc, record[SEQUENCE]) ^ 0xFFFFFFFFu) == record[CRC];
}

static uint64_t joined(uint32_t low, uint32_t high)
{
    return (uint64_t)high << 32 | low;
}

static void take(struct bms *b, const uint32_t *record)
{
    const uint32_t *pack = record + HEAD, *cells = pack + PACK_WORDS;
    b->charged_nAh = (int64_t)joined(pack[CHARGED_LOW], pack[CHARGED_HIGH]);
    b->discharged_nAh = (int64_t)joined(pack[DISCHARGED_LOW], pack[DISCHARGED_HIGH]);
    b->zero_A = (float)(int32_t)pack[ZERO_UA] / 1e6f;
    b->on_ms = (uint64_t)pack[ON_S] * 1000u;
    b->deep = (uint8_t)(pack[EVENTS] & 0xFFu);
    b->over = (uint8_t)(pack[EVENTS] >> 8 & 0xFFu);
    b->under = (uint8_t)(pack[EVENTS] >> 16 & 0xFFu);
    for (int i = 0; i < N_CELLS; i++) {
        b->cell[i].kept_z = (float)(int32_t)cells[CELL_WORDS * i] / UNIT;
        b->cell[i].kept_sigma = (float)(int32_t)cells[CELL_WORDS * i + 1] / UNIT;
    }
    b->stored = true;
}

void memory_load(struct bms *b)
{
    uint32_t record[WORDS];
    for (uint8_t copy = 0; copy < 2; copy++) {
        board_nvm_read(copy * COPY_BYTES, record, sizeof record);
        if (whole(record) && record[SEQUENCE] > b->sequence) {
            take(b, record);
            b->sequence = record[SEQUENCE];
            b->copy = copy;
        }
    }
}

/* Write the next piece; piece 0 means that no write is under way. */
static void write_piece(struct bms *b)
{
    uint32_t base = (b->copy == 0 ? 1u : 0u) * COPY_BYTES, words[PIECE_WORDS] = {0, 0};
    unsigned first = FORMAT + PIECE_WORDS * (b->piece - 2u), n = 0;
    if (b->piece == 1u) {
        board_nvm_write(base, words, 8);
        b->crc = 0xFFFFFFFFu;
    } else if (first < WORDS) {
        for (; n < PIECE_WORDS && first + n < WORDS; n++) {
            words[n] = word(b, first + n);
            b->crc = crc32(b->crc, words[n]);
        }
        board_nvm_write(base + 4u * first, words, 4u * n);
    } else {
        words[SEQUENCE] = b->sequence + 1u;
        words[CRC] = crc32(b->crc, words[SEQUENCE]) ^ 0xFFFFFFFFu;
        board_nvm_write(base, words, 8);
        b->sequence++;
        b->copy = b->copy == 0 ? 1 : 0;
        b->piece = 0;
        return;
    }
    b->piece++;
}

static void begin(struct bms *b)
{
    for (int i = 0; i < N_CELLS; i++) {
        b->cell[i].kept_z = b->cell[i].z;
        b->cell[i].kept_sigma = sqrtf(b->cell[i].p00);
    }
    b->piece = 1;
}

void memory_step(struct bms *b)
{
    if (!b->seeded)
        return;
    if (b->piece == 0u && b->up_ms % SAVE_MS < b->tick_ms)
        begin(b);
    if (b->piece > 0u)
        write_piece(b);
}

/* A whole record at once, as when the supply is about to go. */
void memory_save_all(struct bms *b)
{
    if (!b->seeded)
        return;
    if (b->piece == 0u)
        begin(b);
    while (b->piece > 0u)
        write_piece(b);
}

void memory_latch(unsigned limit, bool latched)
{
    uint8_t byte = latched ? LATCHED : 0;
    board_nvm_write(LATCHES + limit, &byte, 1);
}

bool memory_latched(unsigned limit)
{
    uint8_t byte;
    board_nvm_read(LATCHES + limit, &byte, 1);
    return byte == LATCHED;
}
