/* From what was received to the quantities that limits are applied to. Not known: stale or never valid; its limits freeze. */
#include <math.h>

#include "bms.h"

#define OPEN_SETTLE_MS 1000u /* a reading counts as "contactors open" only so long after they opened */

static void know(struct bms *b, enum quantity q, float value, bool is_known)
{
    b->quantity[q] = value;
    b->known[q] = is_known;
}

static bool is_on(const struct bms *b)
{
    return b->state == RUN || b->state == CHARGE;
}

/* With the contactors closed a step up in current must pull the pack voltage down. */
static void watch_direction(struct bms *b)
{
    float step_A = b->current_A - b->edge_A, step_V = b->pack_V - b->edge_V;
    if (fabsf(step_A) >= DIRECTION_STEP_A && is_on(b))
        b->direction = fmaxf(b->direction + (step_A * step_V > 0.0f ? 1.0f : -1.0f), 0.0f);
    b->edge_A = b->current_A;
    b->edge_V = b->pack_V;
}

void soa_current(struct bms *b)
{
    unsigned frame = rx_signals[RX_Shunt_Current].frame;
    bool is_known = fresh_value(b, RX_Shunt_Current, CURRENT_AGE_MS);
    bool pack_known = fresh_value(b, RX_Shunt_PackVoltage, CURRENT_AGE_MS);
    bool link_known = fresh_value(b, RX_Shunt_LinkVoltage, CURRENT_AGE_MS);
    uint32_t age_ms = age_of(b, frame);
    b->current_A = is_known ? b->value[RX_Shunt_Current] : 0.0f;
    know(b, Q_DISCHARGE_A, fmaxf(b->current_A, 0.0f), is_known);
    know(b, Q_CHARGE_A, fmaxf(-b->current_A, 0.0f), is_known);
    know(b, Q_CURRENT_AGE_MS, (float)age_ms, b->stream[frame].heard);
    bool invalid = age_ms <= CURRENT_AGE_MS && !b->valid[RX_Shunt_Current];
    know(b, Q_CURRENT_INVALID, invalid, b->stream[frame].heard);
    if (pack_known)
        b->pack_V = b->value[RX_Shunt_PackVoltage];
    if (link_known)
        b->link_V = b->value[RX_Shunt_LinkVoltage];
    b->known[Q_PACK_MISMATCH_SHARE] = pack_known;
    float off = is_on(b) ? fabsf(b->pack_V - b->link_V) / fmaxf(b->pack_V, 1.0f) : 0.0f;
    know(b, Q_LINK_MISMATCH_SHARE, off, pack_known && link_known);
    know(b, Q_OPEN_CURRENT_A, b->open_ms >= OPEN_SETTLE_MS ? fabsf(b->current_A) : 0.0f, is_known);
    if (is_known && pack_known && b->stream[frame].fresh)
        watch_direction(b);
    know(b, Q_CURRENT_DIRECTION, b->direction, is_known);
}

/* A new sample of a cell. Stuck: bit for bit the same while the current moved enough to move any real cell. */
static void take_cell(struct bms *b, struct cell *c, float volt_V, uint32_t sample_ms)
{
    if (volt_V < c->volt_V || volt_V > c->volt_V) {
        c->equal_ms = 0;
        c->sample_A = b->current_A;
    } else if (fabsf(b->current_A - c->sample_A) >= STUCK_STEP_A || c->equal_ms > 0u) {
        c->equal_ms += sample_ms;
    }
    c->volt_V = volt_V;
}

void soa_cells(struct bms *b)
{
    float high = -1e9f, low = 1e9f, total = 0.0f;
    int n_valid = 0, n_invalid = 0;
    uint32_t oldest_ms = 0, longest_ms = 0;
    bool all_heard = true;
    for (int i = 0; i < N_CELLS; i++) {
        enum rx_signal at = (enum rx_signal)(RX_CellVoltage_000 + i);
        const struct stream *s = &b->stream[rx_signals[at].frame];
        uint32_t age_ms = age_of(b, rx_signals[at].frame);
        struct cell *c = &b->cell[i];
        oldest_ms = age_ms > oldest_ms ? age_ms : oldest_ms;
        all_heard = all_heard && s->heard;
        if (age_ms > CELL_AGE_MS)
            continue;
        if (!b->valid[at]) {
            n_invalid++;
            continue;
        }
        float volt_V = b->value[at];
        if (s->fresh)
            take_cell(b, c, volt_V, s->sample_ms);
        longest_ms = c->equal_ms > longest_ms ? c->equal_ms : longest_ms;
        n_valid++;
        total += volt_V;
        if (volt_V > high) {
            high = volt_V;
            b->cell_max_at = (uint8_t)i;
        }
        if (volt_V < low) {
            low = volt_V;
            b->cell_min_at = (uint8_t)i;
        }
    }
    bool some = n_valid > 0, all = n_valid == N_CELLS;
    b->known[Q_CELL_V_MAX] = b->known[Q_CELL_V_MIN] = b->known[Q_CELL_SPREAD_V] = some;
    if (some) {
        float mean_V = total / (float)n_valid;
        b->quantity[Q_CELL_V_MAX] = b->cell_max_V = high;
        b->quantity[Q_CELL_V_MIN] = b->cell_min_V = low;
        b->quantity[Q_CELL_SPREAD_V] = fmaxf(high - mean_V, mean_V - low);
    }
    if (all)
        b->string_V = total / N_STRINGS;
    know(b, Q_CELL_AGE_MS, (float)oldest_ms, all_heard);
    know(b, Q_CELL_INVALID_COUNT, (float)n_invalid, all_heard);
    know(b, Q_CELL_STUCK_S, (float)longest_ms * 1e-3f, all_heard);
    float off_V = fabsf(b->pack_V - total / N_STRINGS);
    bool pack_known = b->known[Q_PACK_MISMATCH_SHARE];
    know(b, Q_PACK_MISMATCH_SHARE, all ? off_V / fmaxf(b->pack_V, 1.0f) : 0.0f, pack_known && all);
}

void soa_temperatures(struct bms *b)
{
    float high = -1e9f, low = 1e9f, total = 0.0f, rate = -1e9f;
    float part = fminf(1e-3f * (float)b->tick_ms / RATE_TAU_S, 1.0f);
    int n_valid = 0, n_invalid = 0;
    uint32_t oldest_ms = 0;
    bool all_heard = true;
    for (int j = 0; j < N_NTC; j++) {
        enum rx_signal at = (enum rx_signal)(RX_CellTemperature_00 + j);
        uint32_t age_ms = age_of(b, rx_signals[at].frame);
        oldest_ms = age_ms > oldest_ms ? age_ms : oldest_ms;
        all_heard = all_heard && b->stream[rx_signals[at].frame].heard;
        if (age_ms > TEMP_AGE_MS)
            continue;
        if (!b->valid[at]) {
            n_invalid++;
            b->ntc_slow_set[j] = false;
            continue;
        }
        float temp_degC = b->value[at];
        if (!b->ntc_slow_set[j])
            b->ntc_slow_degC[j] = temp_degC;
        b->ntc_slow_set[j] = true;
        b->ntc_slow_degC[j] += part * (temp_degC - b->ntc_slow_degC[j]);
        b->ntc_degC[j] = temp_degC;
        rate = fmaxf(rate, (temp_degC - b->ntc_slow_degC[j]) / RATE_TAU_S);
        n_valid++;
        total += temp_degC;
        if (temp_degC > high) {
            high = temp_degC;
            b->temp_max_at = (uint8_t)j;
        }
        if (temp_degC < low) {
            low = temp_degC;
            b->temp_min_at = (uint8_t)j;
        }
    }
    bool some = n_valid > 0;
    b->known[Q_TEMP_MAX_DEGC] = b->known[Q_TEMP_MIN_DEGC] = some;
    b->known[Q_TEMP_SPREAD_K] = b->known[Q_TEMP_RATE_K_PER_S] = some;
    if (some) {
        b->quantity[Q_TEMP_MAX_DEGC] = b->temp_max_degC = high;
        b->quantity[Q_TEMP_MIN_DEGC] = b->temp_min_degC = low;
        b->quantity[Q_TEMP_SPREAD_K] = high - low;
        b->quantity[Q_TEMP_RATE_K_PER_S] = rate;
        for (int i = 0; i < N_CELLS; i++) {
            int j = ntc_of_cell[i];
            bool own = b->valid[RX_CellTemperature_00 + j];
            b->cell[i].temp_degC = own ? b->ntc_degC[j] : total / (float)n_valid;
        }
    }
    know(b, Q_TEMP_AGE_MS, (float)oldest_ms, all_heard);
    know(b, Q_TEMP_INVALID_COUNT, (float)n_invalid, all_heard);
}

void soa_lines(struct bms *b)
{
    bool settled = b->command_ms >= SETTLE_MS, any = false;
    for (int c = 0; c < CONTACTS; c++) {
        enum rx_signal at = (enum rx_signal)(RX_PackIO_MainPlusFeedback + c);
        bool ok = fresh_value(b, at, PACK_IO_AGE_MS), closed = b->value[at] > 0.5f;
        know(b, (enum quantity)(Q_MAIN_PLUS_MISMATCH + c), b->command[c] && !closed, ok && settled);
        if (c != PRE)
            know(b, (enum quantity)(Q_MAIN_PLUS_WELDED + c), closed && !b->command[c], ok && settled);
        any = any || closed || b->command[c];
    }
    b->open_ms = any ? 0u : b->open_ms + b->tick_ms;
    bool ok = fresh_value(b, RX_PackIO_Hvil, PACK_IO_AGE_MS);
    know(b, Q_HVIL_OPEN, ok && b->value[RX_PackIO_Hvil] < 0.5f, ok);
    ok = fresh_value(b, RX_PackIO_EmergencyLine, PACK_IO_AGE_MS);
    know(b, Q_EMERGENCY_LINE_LOST, ok && b->value[RX_PackIO_EmergencyLine] < 0.5f, ok);
    know(b, Q_INSULATION_KOHM, b->value[RX_PackIO_Insulation], fresh_value(b, RX_PackIO_Insulation, PACK_IO_AGE_MS));
    know(b, Q_SUPPLY_V, b->value[RX_PackIO_SupplyVoltage], fresh_value(b, RX_PackIO_SupplyVoltage, PACK_IO_AGE_MS));
    know(b, Q_PRECHARGE_FAILED, b->precharge_failed, true);
    know(b, Q_PRECHARGE_TOO_FAST, b->precharge_too_fast, true);
    know(b, Q_INIT_TIMEOUT, b->init_timeout, true);
    unsigned io = rx_signals[RX_PackIO_MainPlusFeedback].frame, ask = rx_signals[RX_Vehicle_ModeRequest].frame;
    know(b, Q_PACK_IO_AGE_MS, (float)age_of(b, io), b->stream[io].heard);
    know(b, Q_REQUEST_AGE_MS, (float)age_of(b, ask), b->stream[ask].heard);
}

/* Fresh, valid data from every node. */
bool soa_ready(const struct bms *b)
{
    const float *q = b->quantity;
    return b->known[Q_CELL_V_MAX] && q[Q_CELL_INVALID_COUNT] < 0.5f && q[Q_CELL_AGE_MS] <= (float)CELL_AGE_MS &&
           b->known[Q_TEMP_MAX_DEGC] && q[Q_TEMP_INVALID_COUNT] < 0.5f && q[Q_TEMP_AGE_MS] <= (float)TEMP_AGE_MS &&
           b->known[Q_DISCHARGE_A] && q[Q_PACK_IO_AGE_MS] <= (float)PACK_IO_AGE_MS;
}
