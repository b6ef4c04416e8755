/*
 * Limits: debounce, latch, delay, reaction.
 *
 * A good row does not time. On the first bad sample its timer starts at 0; it trips when the condition has held for at
 * least the debounce; one good sample starts over. Data that is not known freezes it. An active row clears when the value
 * has stayed beyond the clear threshold for the clear time; a latched one waits for a reset request with its cause gone.
 * The reaction follows the delay after the trip. What survives a loss of supply stands in memory, a byte for each row.
 */
#include "bms.h"

static bool applies(const struct bms *b, uint8_t when)
{
    switch (when) {
    case WHEN_CHARGING:
        return b->current_A < -REST_A;
    case WHEN_NOT_CHARGING:
        return !(b->current_A < -REST_A);
    case WHEN_CLOSED:
        return b->state == RUN || b->state == CHARGE;
    case WHEN_OPENED:
        return !b->command[PLUS] && !b->command[MINUS];
    default:
        return true;
    }
}

static void trip(unsigned n, struct limit_state *s)
{
    s->active = true;
    s->timing = s->aged = false;
    if (limits[n].latch == LATCH_SURVIVES)
        memory_latch(n, true);
}

static void clear(unsigned n, struct limit_state *s)
{
    s->active = s->timing = false;
    if (limits[n].latch == LATCH_SURVIVES)
        memory_latch(n, false);
}

static void watch(struct bms *b, unsigned n)
{
    const struct limit *l = &limits[n];
    struct limit_state *s = &b->limit[n];
    if (!b->known[l->quantity])
        return;
    float side = l->side;
    bool bad = applies(b, l->when) && b->quantity[l->quantity] * side > (s->active ? l->clear : l->threshold) * side;
    if (bad == s->active) {
        s->timing = false;
        return;
    }
    s->timer_ms = s->timing ? s->timer_ms + b->tick_ms : 0u;
    s->timing = true;
    if (!s->active && s->timer_ms >= l->debounce_ms) {
        trip(n, s);
    } else if (s->active && s->timer_ms >= l->clear_ms) {
        s->timer_ms = l->clear_ms;
        if (l->latch == LATCH_NO || b->reset_edge)
            clear(n, s);
    }
}

static void react(struct bms *b, unsigned n, int64_t *oldest_ms)
{
    const struct limit *l = &limits[n];
    struct limit_state *s = &b->limit[n];
    s->age_ms = s->aged ? s->age_ms + b->tick_ms : 0u;
    s->aged = true;
    if (l->tier > b->worst_tier)
        b->worst_tier = l->tier;
    if (l->reaction == REACT_OPEN && (int64_t)s->age_ms > *oldest_ms) {
        *oldest_ms = s->age_ms;
        b->fault_code = l->code;
    }
    if (s->age_ms < l->delay_ms) {
        b->pending = true;
        return;
    }
    bool all = l->reaction == REACT_STOP || l->reaction == REACT_OPEN;
    b->no_charge = b->no_charge || all || l->reaction == REACT_STOP_CHARGE;
    b->no_discharge = b->no_discharge || all || l->reaction == REACT_STOP_DISCHARGE;
    b->open_now = b->open_now || l->reaction == REACT_OPEN;
}

void diag_step(struct bms *b)
{
    int64_t oldest_ms = -1;
    b->open_now = b->no_charge = b->no_discharge = b->pending = false;
    b->worst_tier = TIER_NONE;
    b->fault_code = 0;
    for (unsigned n = 0; n < N_LIMITS; n++) {
        watch(b, n);
        if (b->limit[n].active)
            react(b, n, &oldest_ms);
    }
}
