/*
 * Current limits: a table over temperature, tapered at the voltage limits; and what the pack bears for 2, 10 and 30 s and
 * continuously.
 *
 * A cell bears a current if its voltage will be inside its limits after the time, with a margin: for the sensor, and a share
 * of all drops for resistance that is not as believed. Resistance is taken at the SOC of the end, where it may have grown.
 * The weakest cell counts, and what holds for a longer time holds for a shorter one.
 */
#include <math.h>

#include "bms.h"

#define RENEWED_S 1.5f /* a limit is up to so old when a load takes it */
#define STEPS 12
#define ROUND_MS 500u

static float share(float room_V, float taper_V)
{
    float part = room_V / taper_V;
    return part < 0.0f ? 0.0f : part > 1.0f ? 1.0f : part;
}

/* Allowed by the worse of the extreme temperatures. */
static float allowed_A(const struct bms *b, enum way way)
{
    const float *amps = way == CHARGING ? power_charge_A : power_discharge_A;
    return fminf(table(power_degC, amps, N_POWER, b->temp_max_degC), table(power_degC, amps, N_POWER, b->temp_min_degC));
}

static bool forbidden(const struct bms *b, enum way way)
{
    return !b->seeded || (way == CHARGING ? b->no_charge : b->no_discharge);
}

void power_limits(struct bms *b)
{
    float charge = share(CHARGE_MAX_V - b->quantity[Q_CELL_V_MAX], CHARGE_TAPER_V);
    float discharge = share(b->quantity[Q_CELL_V_MIN] - DISCHARGE_MIN_V, DISCHARGE_TAPER_V);
    b->charge_limit_A = forbidden(b, CHARGING) ? 0.0f : charge * allowed_A(b, CHARGING);
    b->discharge_limit_A = forbidden(b, DISCHARGING) ? 0.0f : discharge * allowed_A(b, DISCHARGING);
}

/* Voltage of a cell after t_s of a current of one string, less the margin on discharge, with it on charge. */
static float end_V(const struct cell *c, enum way way, float amps, float t_s)
{
    float sign = way == CHARGING ? -1.0f : 1.0f, r[3], slope;
    float dz = sign * amps * t_s / (3600.0f * CAPACITY_AH), d1 = exp_f(-t_s / TAU1_S), d2 = exp_f(-t_s / TAU2_S);
    float h = (c->h + sign) * exp_f(-HYST_DECAY * fabsf(dz)) - sign;
    cell_ohm(c, c->z - dz, r);
    float drop_V = c->u1 * d1 + c->u2 * d2 + sign * amps * (r[0] + r[1] * (1.0f - d1) + r[2] * (1.0f - d2));
    float wrong = sqrtf(PULSE_R_SHARE * PULSE_R_SHARE + RESISTANCE_ERROR_SHARE * RESISTANCE_ERROR_SHARE);
    float margin_V = PULSE_ERROR_V + PULSE_SIGMAS * wrong * fabsf(drop_V);
    return ocv_V(c->z - dz, h, c->reach, c->temp_degC, &slope) - drop_V - sign * margin_V;
}

static bool bears(const struct cell *c, enum way way, float amps, float t_s)
{
    float volt = end_V(c, way, amps, t_s);
    return way == CHARGING ? volt <= CHARGE_MAX_V : volt >= DISCHARGE_MIN_V;
}

/* Current up to most_A that a cell bears: what it bears whole costs one look. */
static float least_A(const struct cell *c, enum way way, float most_A, float t_s)
{
    float room = way == CHARGING ? SOC_WINDOW_MAX - c->z : c->z - SOC_WINDOW_MIN;
    float low = 0.0f, high = fminf(most_A, fmaxf(room, 0.0f) * 3600.0f * CAPACITY_AH / t_s);
    if (bears(c, way, high, t_s))
        return high;
    for (int n = 0; n < STEPS; n++) {
        float middle = 0.5f * (low + high);
        if (bears(c, way, middle, t_s))
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void foresee(struct bms *b, enum way way, int h)
{
    float t_s = pulse_s[h] + RENEWED_S, amps = allowed_A(b, way) * pulse_share[h] / N_STRINGS, volt = 0.0f;
    if (h > 0)
        amps = fminf(amps, b->pulse_A[way][h - 1] / N_STRINGS);
    for (int i = 0; i < N_CELLS; i++)
        amps = least_A(&b->cell[i], way, amps, t_s);
    for (int i = 0; i < N_CELLS; i++)
        volt += way == CHARGING ? b->cell[i].volt_V : end_V(&b->cell[i], way, amps, t_s);
    b->pulse_A[way][h] = amps * N_STRINGS;
    b->pulse_W[way][h] = amps * fmaxf(volt, 0.0f); /* the strings' voltages add up to N_STRINGS times the pack's */
}

/* One horizon of one direction a tick, all of them in each round; at once nothing where a limit forbids it. */
void power_foresee(struct bms *b)
{
    for (int way = 0; way < WAYS; way++)
        for (int h = 0; forbidden(b, (enum way)way) && h < N_PULSE; h++)
            b->pulse_A[way][h] = b->pulse_W[way][h] = 0.0f;
    uint32_t turn = b->up_ms % ROUND_MS / b->tick_ms;
    if (turn < WAYS * N_PULSE && !forbidden(b, (enum way)(turn / N_PULSE)))
        foresee(b, (enum way)(turn / N_PULSE), (int)(turn % N_PULSE));
}
