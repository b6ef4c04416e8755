/*
 * Frames in and out: E2E profile 11, decoding, encoding, all by the tables of network.c.
 *
 * A stream (a message, or one page of it) is VALID while enough of its last frames were good; only its good frames carry
 * data. Silence is not seen here but by age.
 */
#include <math.h>
#include <string.h>

#include "bms.h"

enum { NODATA, PROVING, VALID, INVALID };
enum result { OK, INITIAL, REPEATED, WRONG_SEQUENCE, FAULTY };

#define COUNTER_MAX 14u

static uint8_t crc8(uint8_t crc, uint8_t byte)
{
    unsigned c = crc ^ byte;
    for (int n = 0; n < 8; n++)
        c = c & 0x80u ? (c << 1) ^ 0x1Du : c << 1;
    return (uint8_t)c;
}

/* CRC of profile 11: over the data id, low byte first, and the payload behind the CRC. */
static uint8_t crc_of(const struct frame_layout *f, const uint8_t *data)
{
    uint8_t crc = crc8(crc8(0, (uint8_t)(f->data_id & 0xFFu)), (uint8_t)(f->data_id >> 8));
    for (unsigned n = 1; n < f->length; n++)
        crc = crc8(crc, data[n]);
    return crc;
}

static uint64_t word_of(const uint8_t *data)
{
    uint64_t word = 0;
    for (int n = 7; n >= 0; n--)
        word = word << 8 | data[n];
    return word;
}

static enum result check(const struct frame_layout *f, struct stream *s, const struct can_frame *frame)
{
    if (frame->length != f->length)
        return FAULTY;
    if (f->e2e == E2E_NONE)
        return OK;
    if (frame->data[0] != crc_of(f, frame->data))
        return FAULTY;
    uint8_t counter = frame->data[1] & 0x0Fu;
    if (counter > COUNTER_MAX)
        return WRONG_SEQUENCE;
    unsigned delta = (counter + COUNTER_MAX + 1u - s->counter) % (COUNTER_MAX + 1u);
    s->counter = counter;
    if (s->state == NODATA)
        return INITIAL;
    if (delta == 0u)
        return REPEATED;
    return delta > E2E_MAX_DELTA ? WRONG_SEQUENCE : OK;
}

/* Enter a result into the window of a stream. True: this frame's data may be used. */
static bool track(struct stream *s, enum result result)
{
    bool good = result == OK || result == INITIAL;
    if (s->state == NODATA && !good && result != REPEATED)
        return false;
    s->window = (s->window << 1 | !good) & ((1u << E2E_WINDOW) - 1u);
    if (s->seen < E2E_WINDOW)
        s->seen++;
    unsigned bad = 0;
    for (uint32_t bits = s->window; bits != 0u; bits &= bits - 1u)
        bad++;
    if (s->seen - bad >= E2E_MIN_OK && bad <= E2E_MAX_ERRORS)
        s->state = VALID;
    else if (s->state == VALID)
        s->state = INVALID;
    else if (s->state == NODATA)
        s->state = PROVING;
    return good && s->state == VALID;
}

static void decode(struct bms *b, const struct frame_layout *f, uint64_t word)
{
    for (unsigned n = f->first; n < (unsigned)f->first + f->count; n++) {
        const struct signal_layout *g = &rx_signals[n];
        uint32_t raw = (uint32_t)(word >> g->shift & ((1ull << g->bits) - 1u));
        b->valid[n] = raw >= g->raw_min && raw <= g->raw_max;
        if (b->valid[n])
            b->value[n] = (float)((int64_t)raw + g->zero) * g->scale;
    }
}

void bms_receive(struct bms *b, const struct can_frame *frame)
{
    uint64_t word = word_of(frame->data);
    for (unsigned n = 0; n < RX_FRAMES; n++) {
        const struct frame_layout *f = &rx_frames[n];
        if (f->id != frame->id || f->bus != frame->bus || f->extended != frame->extended || (word & f->page_mask) != f->page)
            continue;
        struct stream *s = &b->stream[n];
        if (track(s, check(f, s, frame))) {
            decode(b, f, word);
            s->sample_ms = b->up_ms - s->heard_ms;
            s->heard_ms = b->up_ms;
            s->fresh = true;
            s->heard = b->up_ms > 0u;
        }
        return;
    }
}

uint32_t age_of(const struct bms *b, unsigned frame)
{
    return b->up_ms - b->stream[frame].heard_ms;
}

bool fresh_value(const struct bms *b, enum rx_signal signal, uint32_t age_ms)
{
    return b->valid[signal] && age_of(b, rx_signals[signal].frame) <= age_ms;
}

static uint32_t raw_of(const struct signal_layout *g, float value)
{
    float steps = value / g->scale;
    if (steps - (float)g->zero < (float)g->raw_min - 0.5f)
        return g->raw_low;
    if (steps - (float)g->zero > (float)g->raw_max + 0.5f)
        return g->raw_high;
    int64_t raw = (int64_t)floorf(steps + 0.5f) - g->zero;
    return raw < (int64_t)g->raw_min ? g->raw_min : raw > (int64_t)g->raw_max ? g->raw_max : (uint32_t)raw;
}

void bms_send(struct bms *b)
{
    for (unsigned n = 0; n < TX_FRAMES; n++) {
        const struct frame_layout *f = &tx_frames[n];
        if (b->next_ms[n] > b->up_ms)
            continue;
        b->next_ms[n] += f->cycle_ms;
        uint64_t word = f->page;
        for (unsigned k = f->first; k < (unsigned)f->first + f->count; k++) {
            const struct signal_layout *g = &tx_signals[k];
            word |= (uint64_t)(b->out_valid[k] ? raw_of(g, b->out[k]) : g->raw_none) << g->shift;
        }
        if (f->e2e == E2E_P11)
            word |= (uint64_t)b->counter[n] << 8;
        struct can_frame frame;
        memset(&frame, 0, sizeof frame);
        frame.id = f->id;
        frame.bus = f->bus;
        frame.extended = f->extended;
        frame.length = f->length;
        for (unsigned k = 0; k < f->length; k++)
            frame.data[k] = (uint8_t)(word >> (8u * k) & 0xFFu);
        if (f->e2e == E2E_P11) {
            frame.data[0] = crc_of(f, frame.data);
            b->counter[n] = b->counter[n] >= COUNTER_MAX ? 0 : (uint8_t)(b->counter[n] + 1u);
        }
        if (b->up_ms >= BOOT_MS)
            board_send(&frame);
    }
}
