/*
 * Who may close which contactor when.
 *
 *     INIT -> STANDBY -> PRECHARGE -> RUN <-> CHARGE -> OPENING -> STANDBY,  any -> ERROR -> INIT
 *
 * A limit whose reaction is "open" leads to ERROR from any state; the way out is a rising edge of the reset request with no
 * such limit active. Commands are set here and nowhere else.
 */
#include <math.h>

#include "bms.h"

enum { ASK_STANDBY, ASK_DRIVE, ASK_CHARGE };
enum { CLOSE_MINUS, CLOSE_PRE, WAIT_LINK, CLOSE_PLUS, OPEN_PRE, WAIT_RETRY }; /* phases of PRECHARGE */

struct decision {
    enum state state;
    uint8_t phase;
    bool command[CONTACTS];
};

static bool is_closed(const struct bms *b, int contact)
{
    return b->value[RX_PackIO_MainPlusFeedback + contact] > 0.5f;
}

/* One tick of the precharge sequence. Minus closes, precharge closes, the link fills, plus closes, precharge opens. */
static void precharge(struct bms *b, struct decision *d)
{
    uint8_t phase = b->phase;
    bool failed = phase != WAIT_LINK && phase != WAIT_RETRY && b->phase_ms >= CLOSE_MS;
    float link = b->link_V / fmaxf(b->pack_V, 0.1f);
    bool is_full = link >= PRECHARGE_LINK_SHARE;
    d->phase = phase;
    d->command[MINUS] = d->command[PRE] = true;
    switch (phase) {
    case CLOSE_MINUS:
        d->command[PRE] = false;
        b->was_low = link < PRECHARGE_FAST_SHARE; /* a link still charged from the last try proves nothing */
        if (is_closed(b, MINUS)) {
            d->phase = CLOSE_PRE;
            failed = false;
        }
        break;
    case CLOSE_PRE:
        if (is_closed(b, PRE)) {
            d->phase = WAIT_LINK;
            failed = false;
        }
        break;
    case WAIT_LINK:
        failed = b->phase_ms >= PRECHARGE_TIMEOUT_MS;
        if (is_full && b->phase_ms < PRECHARGE_MIN_MS && b->was_low) {
            b->precharge_too_fast = true;
            failed = true;
        } else if (is_full && fabsf(b->current_A) <= PRECHARGE_END_A) {
            d->phase = CLOSE_PLUS;
            failed = false;
        }
        break;
    case CLOSE_PLUS:
        d->command[PLUS] = true;
        if (is_closed(b, PLUS)) {
            d->phase = OPEN_PRE;
            failed = false;
        }
        break;
    case OPEN_PRE:
        d->command[PLUS] = true;
        d->command[PRE] = false;
        failed = false;
        b->tries = 0;
        d->state = b->target;
        break;
    default:
        d->command[MINUS] = d->command[PRE] = false;
        if (b->phase_ms >= PRECHARGE_RETRY_MS && !b->precharge_failed)
            d->phase = CLOSE_MINUS;
        break;
    }
    if (failed) {
        d->command[PLUS] = d->command[MINUS] = d->command[PRE] = false;
        d->phase = WAIT_RETRY;
        b->tries++;
        b->since_try_ms = 0;
        b->precharge_failed = b->tries >= PRECHARGE_TRIES;
    }
}

static void hold(const struct bms *b, struct decision *d)
{
    for (int c = 0; c < CONTACTS; c++)
        d->command[c] = b->command[c];
}

static void commit(struct bms *b, const struct decision *d)
{
    if (d->state != b->state) {
        b->state = d->state;
        b->state_ms = 0;
        b->phase = 0;
        b->phase_ms = 0;
    } else if (d->phase != b->phase) {
        b->phase = d->phase;
        b->phase_ms = 0;
    }
    for (int c = 0; c < CONTACTS; c++) {
        if (b->command[c] != d->command[c])
            b->command_ms = 0;
        b->command[c] = d->command[c];
    }
}

/* In ERROR a reset request ends what only the device itself remembers; measured causes must go by themselves. */
void mode_forget(struct bms *b)
{
    if (!b->reset_edge || b->state != ERROR)
        return;
    b->precharge_failed = b->precharge_too_fast = b->init_timeout = false;
    b->tries = 0;
    b->direction = 0.0f;
}

void mode_step(struct bms *b, int request)
{
    bool ready = soa_ready(b), wants = request == ASK_DRIVE || request == ASK_CHARGE;
    enum state target = request == ASK_DRIVE ? RUN : CHARGE;
    struct decision d = {b->state, 0, {false, false, false}};
    b->state_ms += b->tick_ms;
    b->phase_ms += b->tick_ms;
    b->command_ms += b->tick_ms;
    b->since_try_ms += b->tick_ms;
    if (b->open_now && b->state != ERROR) {
        d.state = ERROR;
        commit(b, &d);
        return;
    }
    switch (b->state) {
    case INIT:
        b->ready_ms = ready ? b->ready_ms + b->tick_ms : 0u;
        if (b->ready_ms >= READY_MS)
            d.state = STANDBY;
        else if (b->state_ms >= INIT_TIMEOUT_MS)
            b->init_timeout = true;
        break;
    case STANDBY:
        if (wants && ready && (b->tries == 0 || b->since_try_ms >= PRECHARGE_RETRY_MS) && !b->pending) {
            d.state = PRECHARGE;
            b->target = target;
        }
        break;
    case PRECHARGE:
        if (wants) {
            b->target = target;
            precharge(b, &d);
        } else {
            d.state = OPENING;
            hold(b, &d);
        }
        break;
    case RUN:
    case CHARGE:
        d.command[PLUS] = d.command[MINUS] = true;
        d.state = wants ? target : OPENING;
        break;
    case OPENING:
        if (fabsf(b->current_A) <= OPEN_MAX_A || b->state_ms >= OPEN_GRACE_MS)
            d.state = STANDBY;
        else
            hold(b, &d);
        break;
    default:
        if (b->reset_edge && !b->open_now) {
            d.state = INIT;
            b->ready_ms = 0;
        }
        break;
    }
    commit(b, &d);
}
