/*
 * State of charge: an extended Kalman filter for each cell over z (SOC) and the voltages u1, u2 of two RC pairs,
 *
 *     V = OCV(z, h) - u1 - u2 - I R0
 *
 * h is the branch of the loop that the last current led to. A step of charge is smaller than the last digit of a float near
 * 1, so z carries along what the sum still lacks (Kahan). Source: Plett, J. Power Sources 134 (2004) 277-292.
 */
#include <math.h>

#include "bms.h"

#define PAIR_VAR_V2 1e-6f
#define LOOK_AT_LOW 0.1f /* resistances at the very ends would explain any voltage */
#define LOOK_AT_HIGH 0.9f
#define SLACK_V 0.2f /* what loop, load and relaxation can make of a voltage */
#define EVER_S 1e9f

static void add_soc(struct cell *c, float dz)
{
    float y = dz - c->z_lack, sum = c->z + y;
    c->z_lack = (sum - c->z) - y;
    c->z = sum;
}

static void set_band(struct cell *c)
{
    c->band = fminf(1.96f * sqrtf(c->p00 + BAND_FLOOR * BAND_FLOOR), 1.0f);
}

static void seed(struct cell *c, float z, float sigma)
{
    c->z = z;
    c->z_lack = c->u1 = c->u2 = c->h = 0.0f;
    c->p00 = sigma * sigma;
    c->p01 = c->p02 = c->p12 = 0.0f;
    c->p11 = c->p22 = PAIR_VAR_V2;
    set_band(c);
}

/* Start once every cell and temperature has been seen: from memory where the voltage allows it, else from the voltage. */
void ekf_begin(struct bms *b)
{
    if (b->seeded || !soa_ready(b))
        return;
    for (int i = 0; i < N_CELLS; i++) {
        struct cell *c = &b->cell[i];
        c->z = b->stored ? fminf(fmaxf(c->kept_z, LOOK_AT_LOW), LOOK_AT_HIGH) : 0.5f;
        cell_refresh(c, EVER_S);
        float z = soc_at(c->volt_V, c->reach), sigma = START_SIGMA;
        if (b->stored) {
            float kept_sigma = c->kept_sigma + STORED_SIGMA;
            float low = soc_at(c->volt_V - SLACK_V, c->reach), high = soc_at(c->volt_V + SLACK_V, c->reach);
            if (c->kept_z + 2.0f * kept_sigma < low || c->kept_z - 2.0f * kept_sigma > high) {
                sigma = fmaxf(0.5f * fabsf(c->kept_z - z), START_SIGMA); /* neither is believed alone */
                z = 0.5f * (z + c->kept_z);
            } else {
                z = c->kept_z;
                sigma = kept_sigma;
            }
        }
        seed(c, z, sigma);
        cell_refresh(c, EVER_S);
    }
    b->seeded = true;
}

static void correct(struct cell *c, float current_A, float sample_s)
{
    float slope, ocv = ocv_V(c->z, c->h, c->reach, c->temp_degC, &slope);
    float innovation_V = c->volt_V - (ocv - c->u1 - c->u2 - current_A * c->r0);
    /* gain = P H' / (H P H' + noise) with H = (slope, -1, -1) */
    float a0 = c->p00 * slope - c->p01 - c->p02;
    float a1 = c->p01 * slope - c->p11 - c->p12;
    float a2 = c->p02 * slope - c->p12 - c->p22;
    float s = slope * a0 - a1 - a2 + CELL_SIGMA_V * CELL_SIGMA_V + MODEL_V2S / sample_s;
    float k0 = a0 / s, k1 = a1 / s, k2 = a2 / s;
    add_soc(c, k0 * innovation_V);
    if (c->z < -0.05f || c->z > 1.05f) {
        c->z = c->z < 0.0f ? -0.05f : 1.05f;
        c->z_lack = 0.0f;
    }
    c->u1 += k1 * innovation_V;
    c->u2 += k2 * innovation_V;
    c->p00 = fmaxf(c->p00 - k0 * a0, 1e-10f);
    c->p01 -= k0 * a1;
    c->p02 -= k0 * a2;
    c->p11 = fmaxf(c->p11 - k1 * a1, 1e-12f);
    c->p12 -= k1 * a2;
    c->p22 = fmaxf(c->p22 - k2 * a2, 1e-12f);
}

/* The string is empty when its first cell is, and full when its first cell is. */
static void summarise(struct bms *b)
{
    float low = 2.0f, high = -1.0f, band = 0.0f, available = 2.0f, left = 2.0f;
    for (int i = 0; i < N_CELLS; i++) {
        const struct cell *c = &b->cell[i];
        float z = fminf(fmaxf(c->z, 0.0f), 1.0f), reachable = fmaxf(fminf(z - 1.0f + c->reach, z), 0.0f);
        low = fminf(low, z);
        high = fmaxf(high, z);
        band = fmaxf(band, c->band);
        available = fminf(available, reachable / c->reach);
        left = fminf(left, reachable);
    }
    b->soc_min = low;
    b->soc_max = high;
    b->soc = low > 0.0f ? low / (1.0f - high + low) : 0.0f;
    b->soc_band = band;
    b->soc_available = available;
    b->remaining_Ah = left * CAPACITY_AH * N_STRINGS;
}

void ekf_step(struct bms *b)
{
    if (!b->seeded)
        return;
    float dt_s = 1e-3f * (float)b->tick_ms, current_A = (b->current_A - b->offset_A) / N_STRINGS;
    float d1 = exp_f(-dt_s / TAU1_S), d2 = exp_f(-dt_s / TAU2_S), dz = current_A * dt_s / (3600.0f * CAPACITY_AH);
    float rate = (CURRENT_ERROR_SHARE * fabsf(current_A) + CURRENT_ERROR_A) / (3600.0f * CAPACITY_AH);
    float q_z = 2.0f * rate * rate * CURRENT_CORRELATION_S * dt_s, q_u = RC_NOISE_V2_PER_S * dt_s;
    uint32_t every = 1000u / b->tick_ms > 0u ? 1000u / b->tick_ms : 1u, turn = b->up_ms / b->tick_ms % every;
    for (uint32_t i = turn; i < N_CELLS; i += every) {
        cell_refresh(&b->cell[i], 1e-3f * (float)(every * b->tick_ms));
        set_band(&b->cell[i]);
    }
    for (int i = 0; i < N_CELLS; i++) {
        struct cell *c = &b->cell[i];
        add_soc(c, -dz);
        c->u1 = c->u1 * d1 + c->r1 * (1.0f - d1) * current_A;
        c->u2 = c->u2 * d2 + c->r2 * (1.0f - d2) * current_A;
        c->h = current_A > REST_A ? -1.0f : current_A < -REST_A ? 1.0f : c->h;
        c->p00 += q_z;
        c->p01 *= d1;
        c->p02 *= d2;
        c->p11 = c->p11 * d1 * d1 + q_u;
        c->p12 *= d1 * d2;
        c->p22 = c->p22 * d2 * d2 + q_u;
        enum rx_signal at = (enum rx_signal)(RX_CellVoltage_000 + i);
        const struct stream *s = &b->stream[rx_signals[at].frame];
        if (s->fresh && b->valid[at])
            correct(c, current_A, fmaxf(1e-3f * (float)s->sample_ms, dt_s));
    }
    summarise(b);
}
