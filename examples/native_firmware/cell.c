/* What the BMS believes of a cell: OCV with its loop, resistances, reachable share. Tables of calibration.c. */
#include <math.h>
#include <string.h>

#include "bms.h"

#define ZERO_DEGC_K 273.15f
#define LN_2 0.693147181f

/* e^x by range reduction and a polynomial: the same bits on every machine, which a library's expf does not promise. */
float exp_f(float x)
{
    if (x < -80.0f)
        return 0.0f;
    float k = floorf(x / LN_2 + 0.5f), r = x - k * LN_2;
    float y = 1.0f + r * (1.0f + r * (0.5f + r * (1.0f / 6.0f + r * (1.0f / 24.0f + r * (1.0f / 120.0f + r / 720.0f)))));
    uint32_t bits = (uint32_t)((int32_t)k + 127) << 23; /* 2^k */
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return y * scale;
}

/* Where `at` lies in rising or falling x: the point before it, and the part of the way to the next, 0 to 1. */
static int find(const float *x, int n, float at, float *part)
{
    int j = 0;
    float up = x[n - 1] > x[0] ? 1.0f : -1.0f;
    while (j < n - 2 && at * up >= x[j + 1] * up)
        j++;
    *part = (at - x[j]) / (x[j + 1] - x[j]);
    *part = *part < 0.0f ? 0.0f : *part > 1.0f ? 1.0f : *part;
    return j;
}

float table(const float *x, const float *y, int n, float at)
{
    float part;
    int j = find(x, n, at, &part);
    return y[j] + part * (y[j + 1] - y[j]);
}

/* OCV at SOC z, h between the branches of the loop (-1 after discharge, +1 after charge), and its slope over z. */
float ocv_V(float z, float h, float reach, float temp_degC, float *slope)
{
    float x = fmaxf(1.0f - (1.0f - z) / reach, fminf(z, 0.0f)), part;
    int j = find(ocv_soc, N_OCV, x, &part);
    float weight = 0.5f + 0.5f * h;
    float left = ocv_discharge_V[j] + weight * (ocv_charge_V[j] - ocv_discharge_V[j]);
    float right = ocv_discharge_V[j + 1] + weight * (ocv_charge_V[j + 1] - ocv_discharge_V[j + 1]);
    float warm_V = (temp_degC - 25.0f) * table(entropy_soc, entropy_V_per_K, N_ENTROPY, x);
    float outside = x < 0.0f ? x * BELOW_EMPTY_V : x > 1.0f ? (x - 1.0f) * ABOVE_FULL_V : 0.0f;
    float per_x = x < 0.0f ? BELOW_EMPTY_V : x > 1.0f ? ABOVE_FULL_V : (right - left) / (ocv_soc[j + 1] - ocv_soc[j]);
    *slope = per_x / reach;
    return left + part * (right - left) + warm_V + outside;
}

/* SOC at which a cell rests at a voltage, in the middle between the branches, 0 to 1. */
float soc_at(float volt_V, float reach)
{
    float low = 0.0f, high = 1.0f, slope;
    for (int n = 0; n < 20; n++) {
        float middle = 0.5f * (low + high);
        if (ocv_V(1.0f - (1.0f - middle) * reach, 0.0f, reach, 25.0f, &slope) <= volt_V)
            low = middle;
        else
            high = middle;
    }
    return 1.0f - (1.0f - 0.5f * (low + high)) * reach;
}

static float ohm(const float ln_r[N_R_TEMP][N_R_SOC], int j, float warm, float x)
{
    float cold = table(r_soc, ln_r[j], N_R_SOC, x), hot = table(r_soc, ln_r[j + 1], N_R_SOC, x);
    return exp_f(cold + warm * (hot - cold));
}

/* R0, R1, R2 at an SOC and the cell's temperature. */
void cell_ohm(const struct cell *c, float z, float r[3])
{
    float reach = table(reach_degC, reach_share, N_REACH, c->temp_degC), part;
    float inverse = 1.0f / (fminf(fmaxf(c->temp_degC, -60.0f), 150.0f) + ZERO_DEGC_K);
    int j = find(r_per_K, N_R_TEMP, inverse, &part);
    float warm = (inverse - r_per_K[j]) / (r_per_K[j + 1] - r_per_K[j]); /* beyond the ends the line goes on */
    float x = fminf(fmaxf(1.0f - (1.0f - z) / reach, 0.0f), 1.0f);
    r[0] = ohm(ln_r0, j, warm, x);
    r[1] = ohm(ln_r1, j, warm, x);
    r[2] = ohm(ln_r2, j, warm, x);
}

/* Take resistances and reach at the cell's temperature and SOC. since_s: since the last time; reach follows slowly. */
void cell_refresh(struct cell *c, float since_s)
{
    float r[3];
    cell_ohm(c, c->z, r);
    c->r0 = r[0];
    c->r1 = r[1];
    c->r2 = r[2];
    c->reach += (table(reach_degC, reach_share, N_REACH, c->temp_degC) - c->reach) * (1.0f - exp_f(-since_s / REACH_TAU_S));
}
