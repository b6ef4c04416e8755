/* The task, and what is too small for a file of its own: counters, and the zero of the current sensor. */
#include <math.h>
#include <string.h>

#include "bms.h"

#define ASK_DRIVE 1
#define ASK_CHARGE 2
#define ZERO_SETTLE_MS 2000u
#define ZERO_TAU_S 20.0f
#define ZERO_MOST_SHARE 0.02f /* of 1C: more is no zero but a fault */
#define MOST_EVENTS 61u
#define NAH_PER_AMS (1e6f / 3600.0f)

enum { EVENT_DEEP = 1, EVENT_OVER = 2, EVENT_UNDER = 4 };

void bms_power_on(struct bms *b, uint32_t tick_ms)
{
    memset(b, 0, sizeof *b);
    b->tick_ms = tick_ms;
    for (int i = 0; i < N_CELLS; i++) {
        b->cell[i].temp_degC = 25.0f;
        b->cell[i].reach = 1.0f;
    }
    for (unsigned s = 0; s < TX_FRAMES; s++)
        b->next_ms[s] = tx_frames[s].phase_ms;
    for (unsigned n = 0; n < N_LIMITS; n++)
        b->limit[n].active = memory_latched(n);
    memory_load(b);
}

/* Mode asked for, -1 when nobody asks; also finds the rising edge of the reset request. */
static int request(struct bms *b)
{
    bool level = fresh_value(b, RX_Vehicle_FaultReset, REQUEST_AGE_MS) && b->value[RX_Vehicle_FaultReset] > 0.5f;
    b->reset_edge = level && !b->reset_level;
    b->reset_level = level;
    return fresh_value(b, RX_Vehicle_ModeRequest, REQUEST_AGE_MS) ? (int)b->value[RX_Vehicle_ModeRequest] : -1;
}

/* While all contacts are open a reading of the current is the sensor's own error. Only counting uses it. */
static void learn_zero(struct bms *b)
{
    if (!b->known[Q_DISCHARGE_A]) {
        b->offset_A = 0.0f;
        return;
    }
    bool is_open = b->open_ms >= ZERO_SETTLE_MS && !b->open_now;
    for (int c = 0; c < CONTACTS; c++)
        is_open = is_open && fresh_value(b, (enum rx_signal)(RX_PackIO_MainPlusFeedback + c), PACK_IO_AGE_MS);
    bool small = fabsf(b->current_A) <= ZERO_MOST_SHARE * CAPACITY_AH * N_STRINGS;
    if (is_open && small && b->stream[rx_signals[RX_Shunt_Current].frame].fresh)
        b->zero_A += 1e-3f * (float)b->tick_ms / ZERO_TAU_S * (b->current_A - b->zero_A);
    b->offset_A = b->zero_A;
}

static void count_charge(struct bms *b)
{
    float amps = b->current_A - b->offset_A;
    b->on_ms += b->tick_ms;
    if (b->known[Q_DISCHARGE_A] && fabsf(amps) <= REST_A)
        return; /* the noise of a resting sensor would add up for ever */
    float nAh = fabsf(amps) * (float)b->tick_ms * NAH_PER_AMS;
    if (amps > 0.0f)
        b->discharged_nAh += (int64_t)(nAh + 0.5f);
    else
        b->charged_nAh += (int64_t)(nAh + 0.5f);
}

/* How often the safety limits of the cell voltages tripped; what is active in the first tick was counted before. */
static void count_events(struct bms *b)
{
    uint8_t now = 0;
    for (unsigned n = 0; n < N_LIMITS; n++) {
        if (!b->limit[n].active || limits[n].tier != TIER_MSL)
            continue;
        if (limits[n].quantity == Q_CELL_V_MAX)
            now |= EVENT_OVER;
        else if (limits[n].quantity == Q_CELL_V_MIN)
            now |= limits[n].latch == LATCH_SURVIVES ? EVENT_DEEP : EVENT_UNDER;
    }
    unsigned fresh = b->events_known ? now & ~(unsigned)b->events : 0u;
    b->events = now;
    b->events_known = true;
    if ((fresh & EVENT_DEEP) && b->deep < MOST_EVENTS)
        b->deep++;
    if ((fresh & EVENT_OVER) && b->over < MOST_EVENTS)
        b->over++;
    if ((fresh & EVENT_UNDER) && b->under < MOST_EVENTS)
        b->under++;
}

static void put(struct bms *b, enum tx_signal signal, float value, bool is_known)
{
    b->out[signal] = value;
    b->out_valid[signal] = is_known;
}

/* What is not put here stays "not available": this BMS has no foresight of energy and time, and no health. */
static void fill(struct bms *b)
{
    bool on = b->seeded;
    put(b, TX_BMS_MainPlusCommand, b->command[PLUS], true);
    put(b, TX_BMS_MainMinusCommand, b->command[MINUS], true);
    put(b, TX_BMS_PrechargeCommand, b->command[PRE], true);
    put(b, TX_BMS_State, (float)b->state, true);
    put(b, TX_BMS_FaultCode, b->fault_code, true);
    put(b, TX_BMS_WorstTier, b->worst_tier, true);
    put(b, TX_BMS_ReactionPending, b->pending, true);
    put(b, TX_BMS_ChargeAllowed, !b->no_charge, true);
    put(b, TX_BMS_DischargeAllowed, !b->no_discharge, true);
    put(b, TX_BMS_PrechargeTries, b->tries, true);
    put(b, TX_BMS_Uptime, fminf((float)(b->up_ms / 1000u), 65535.0f), true);
    put(b, TX_BMS_ChargeCurrentLimit, b->charge_limit_A, true);
    put(b, TX_BMS_DischargeCurrentLimit, b->discharge_limit_A, true);
    put(b, TX_BMS_ChargeVoltageLimit, CHARGE_MAX_V * (N_CELLS / N_STRINGS), true);
    put(b, TX_BMS_DischargeVoltageLimit, DISCHARGE_MIN_V * (N_CELLS / N_STRINGS), true);
    put(b, TX_BMS_Soc, 100.0f * b->soc, on);
    put(b, TX_BMS_SocMin, 100.0f * b->soc_min, on);
    put(b, TX_BMS_SocMax, 100.0f * b->soc_max, on);
    put(b, TX_BMS_SocBand, 100.0f * b->soc_band, on);
    put(b, TX_BMS_AvailableSoc, 100.0f * b->soc_available, on);
    put(b, TX_BMS_RemainingCharge, b->remaining_Ah, on);
    put(b, TX_BMS_PackCurrent, b->current_A, on);
    put(b, TX_BMS_PackVoltage, b->string_V, on);
    put(b, TX_BMS_LinkVoltage, b->link_V, on);
    put(b, TX_BMS_CellVoltageMax, b->cell_max_V, on);
    put(b, TX_BMS_CellVoltageMin, b->cell_min_V, on);
    put(b, TX_BMS_CellMaxIndex, b->cell_max_at, on);
    put(b, TX_BMS_CellMinIndex, b->cell_min_at, on);
    put(b, TX_BMS_TemperatureMax, b->temp_max_degC, on);
    put(b, TX_BMS_TemperatureMin, b->temp_min_degC, on);
    put(b, TX_BMS_TemperatureMaxIndex, b->temp_max_at, on);
    put(b, TX_BMS_TemperatureMinIndex, b->temp_min_at, on);
    put(b, TX_BMS_ChargedTotal, (float)b->charged_nAh * 1e-9f, true);
    put(b, TX_BMS_DischargedTotal, (float)b->discharged_nAh * 1e-9f, true);
    put(b, TX_BMS_FullCycles, (float)b->discharged_nAh * 1e-9f / (CAPACITY_AH * N_STRINGS), true);
    put(b, TX_BMS_OperatingHours, (float)(b->on_ms / 3600000u), true);
    put(b, TX_BMS_DeepDischarges, b->deep, true);
    put(b, TX_BMS_OvervoltageEvents, b->over, true);
    put(b, TX_BMS_UndervoltageEvents, b->under, true);
    put(b, TX_BMS_Imbalance, 100.0f * b->trend.imbalance, on && b->trend.imbalance_known);
    put(b, TX_BMS_ImbalanceRate, 100.0f * b->trend.rate, on && b->trend.rate_known);
    put(b, TX_BMS_SelfDischarge, 100.0f * b->trend.leak, on && b->trend.leak_known);
    put(b, TX_BMS_SelfDischargeIndex, b->trend.leak_at, on);
    for (int h = 0; h < N_PULSE; h++) { /* current and power of each horizon stand side by side */
        put(b, (enum tx_signal)(TX_BMS_DischargeCurrent2s + 2 * h), b->pulse_A[DISCHARGING][h], true);
        put(b, (enum tx_signal)(TX_BMS_DischargePower2s + 2 * h), b->pulse_W[DISCHARGING][h], true);
        put(b, (enum tx_signal)(TX_BMS_ChargeCurrent2s + 2 * h), b->pulse_A[CHARGING][h], true);
        put(b, (enum tx_signal)(TX_BMS_ChargePower2s + 2 * h), b->pulse_W[CHARGING][h], true);
    }
    for (int i = 0; i < N_CELLS; i++)
        put(b, (enum tx_signal)(TX_CellSoc_000 + i), 100.0f * fminf(fmaxf(b->cell[i].z, 0.0f), 1.0f), on);
    for (unsigned n = 0; n < N_LIMITS; n++)
        put(b, (enum tx_signal)limits[n].flag, b->limit[n].active, true);
}

void bms_step(struct bms *b)
{
    b->up_ms += b->tick_ms;
    int asked = request(b);
    mode_forget(b);
    soa_current(b);
    soa_cells(b);
    soa_temperatures(b);
    soa_lines(b);
    ekf_begin(b);
    learn_zero(b);
    ekf_step(b);
    count_charge(b);
    trend_step(b);
    diag_step(b);
    power_limits(b);
    power_foresee(b);
    mode_step(b, asked);
    count_events(b);
    memory_step(b);
    fill(b);
    bms_send(b);
    for (unsigned s = 0; s < RX_FRAMES; s++)
        b->stream[s].fresh = false;
}
