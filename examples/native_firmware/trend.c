/*
 * Which cell loses charge faster than its sisters, and how far the cells drift apart.
 *
 * All cells of a string carry the same current; what they lose differently they lose by themselves. Two rests are compared at
 * nearly the same SOC, where OCV errors and unequal capacities are the same in both and fall out. At a rest
 *
 *     d = (V - mean of all) / (slope of the OCV there)
 *
 * and the loss of a cell in excess of its sisters' is the fall of d since the anchor, the first rest. It is told only with
 * evidence: a loss that stands clear of its error, or an error so small that the rate is known to be small. The anchor lives in
 * RAM: nobody says how long a BMS without supply was off.
 */
#include <math.h>

#include "bms.h"

#define EVERY_MS 60000u
#define RESTED_MS 600000u
#define LEAST_MS 600000u
#define MONTH_MS 2629800000.0f
#define VOLT_SIGMA_V 0.002f
#define SAME_SOC 0.05f
#define CAPACITY_SPREAD 0.03f
#define CLEAR 4.0f /* standard deviations */
#define SMALL_PER_MONTH 0.01f
#define MOST_PER_MONTH 65.0f

static float limited(float rate)
{
    return fminf(fmaxf(rate, -MOST_PER_MONTH), MOST_PER_MONTH);
}

/* d of every cell; returns its standard deviation. */
static float differences(const struct bms *b, float d[N_CELLS])
{
    float mean_V = 0.0f, reach = 1.0f, slope;
    for (int i = 0; i < N_CELLS; i++) {
        mean_V += b->cell[i].volt_V / N_CELLS;
        reach = fminf(reach, b->cell[i].reach);
    }
    (void)ocv_V(soc_at(mean_V, reach), 0.0f, reach, 25.0f, &slope);
    slope = fmaxf(slope, 1e-3f);
    for (int i = 0; i < N_CELLS; i++)
        d[i] = (b->cell[i].volt_V - mean_V) / slope;
    return VOLT_SIGMA_V / slope;
}

static void anchor(struct trend *t, const float d[N_CELLS], float sigma, float apart, float soc, uint32_t up_ms)
{
    t->anchored = true;
    t->at_ms = up_ms;
    t->soc = soc;
    t->sigma = sigma;
    t->spread = apart;
    for (int i = 0; i < N_CELLS; i++)
        t->d[i] = d[i];
}

/* Count the rest, and compare once a minute when it is long enough and every cell's data is fresh. */
void trend_step(struct bms *b)
{
    struct trend *t = &b->trend;
    bool resting = b->known[Q_DISCHARGE_A] && fabsf(b->current_A - b->offset_A) <= REST_A;
    t->rest_ms = resting ? t->rest_ms + b->tick_ms : 0u;
    if (N_CELLS < 2 || !b->seeded || !soa_ready(b) || t->rest_ms < RESTED_MS || b->up_ms % EVERY_MS >= b->tick_ms)
        return;
    float d[N_CELLS], sigma = differences(b, d), least = d[0], most = d[0], worst = -1e9f;
    for (int i = 1; i < N_CELLS; i++) {
        least = fminf(least, d[i]);
        most = fmaxf(most, d[i]);
    }
    float apart = most - least, away = fabsf(b->soc - t->soc);
    t->imbalance = fminf(apart, 1.0f);
    t->imbalance_known = true;
    if (!t->anchored) {
        anchor(t, d, sigma, apart, b->soc, b->up_ms);
        return;
    }
    if (away > SAME_SOC || b->up_ms - t->at_ms < LEAST_MS)
        return;
    float months = (float)(b->up_ms - t->at_ms) / MONTH_MS, unlike = CAPACITY_SPREAD * away;
    float error = sqrtf(sigma * sigma + t->sigma * t->sigma + unlike * unlike) / months;
    for (int i = 0; i < N_CELLS; i++) {
        float leak = (t->d[i] - d[i]) * N_CELLS / (N_CELLS - 1) / months; /* the cell is in the mean that it is held against */
        if (leak > worst) {
            worst = leak;
            t->leak_at = (uint8_t)i;
        }
    }
    t->leak = fmaxf(limited(worst), 0.0f);
    t->leak_known = error <= SMALL_PER_MONTH || worst >= CLEAR * error;
    t->rate = limited((apart - t->spread) / months);
    t->rate_known = error <= SMALL_PER_MONTH || fabsf(t->rate) >= CLEAR * error;
}
