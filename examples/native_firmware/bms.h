/*
 * A small battery management system: portable C99, no operating system, no heap, single-precision floats, times in
 * milliseconds. One task a tick: what has arrived was checked and decoded by bms_receive; bms_step estimates, checks the
 * limits, decides, and sends. Deciding comes last, in the tick of its evidence.
 *
 * Positive current discharges. What the bits mean is in network.c, by what the BMS decides in calibration.c; both are
 * written by `nabench new headers`.
 */
#ifndef BMS_H
#define BMS_H

#include <stdbool.h>
#include <stdint.h>

#include "board.h"
#include "calibration.h"
#include "network.h"
#include "quantity.h"

enum state { INIT, STANDBY, PRECHARGE, RUN, CHARGE, ERROR, OPENING }; /* as BMS_State */
enum way { DISCHARGING, CHARGING, WAYS };
enum contact { PLUS, MINUS, PRE, CONTACTS };

/* One received stream: a message, or one page of it. */
struct stream {
    uint8_t state;
    uint8_t counter;
    uint8_t seen;
    bool fresh; /* it brought data since the last step */
    bool heard; /* it ever did */
    uint32_t window;
    uint32_t heard_ms;
    uint32_t sample_ms; /* between its last two good frames */
};

struct limit_state {
    bool timing;
    bool active;
    bool aged; /* active for one tick and longer */
    uint32_t timer_ms;
    uint32_t age_ms;
};

struct cell {
    float volt_V;
    float temp_degC;
    float sample_A; /* current when the voltage last moved */
    uint32_t equal_ms;
    /* the filter: SOC and what its sum still lacks, voltages of two RC pairs, branch of the loop, covariance */
    float z, z_lack, u1, u2, h;
    float p00, p01, p02, p11, p12, p22;
    float r0, r1, r2, reach;
    float band;
    float kept_z, kept_sigma; /* what memory says */
};

/* See trend.c: the anchor, and what is told. */
struct trend {
    bool anchored, imbalance_known, leak_known, rate_known;
    uint8_t leak_at;
    uint32_t rest_ms, at_ms;
    float soc, sigma, spread, d[N_CELLS];
    float imbalance, leak, rate; /* share of the capacity, the last two in a month */
};

struct bms {
    uint32_t tick_ms;
    uint32_t up_ms;

    float value[RX_SIGNALS];
    bool valid[RX_SIGNALS];
    struct stream stream[RX_FRAMES];

    float quantity[QUANTITIES];
    bool known[QUANTITIES];
    struct limit_state limit[N_LIMITS];
    struct cell cell[N_CELLS];
    float ntc_degC[N_NTC];
    float ntc_slow_degC[N_NTC];
    bool ntc_slow_set[N_NTC];

    float current_A, pack_V, link_V, string_V;
    float cell_max_V, cell_min_V, temp_max_degC, temp_min_degC;
    uint8_t cell_max_at, cell_min_at, temp_max_at, temp_min_at;
    float edge_A, edge_V, direction;
    float zero_A, offset_A;

    /* what the limits ask for */
    bool open_now, no_charge, no_discharge, pending;
    uint8_t fault_code, worst_tier;

    /* the mode machine */
    enum state state, target;
    uint8_t phase, tries;
    bool command[CONTACTS];
    uint32_t state_ms, phase_ms, command_ms, open_ms, ready_ms, since_try_ms;
    bool was_low, precharge_failed, precharge_too_fast, init_timeout;
    bool reset_level, reset_edge;

    /* the estimate of the pack */
    bool seeded;
    float soc, soc_min, soc_max, soc_band, soc_available, remaining_Ah;
    float charge_limit_A, discharge_limit_A;
    float pulse_A[WAYS][N_PULSE], pulse_W[WAYS][N_PULSE];

    struct trend trend;

    /* counters */
    int64_t charged_nAh, discharged_nAh;
    uint64_t on_ms;
    uint8_t deep, over, under;
    uint8_t events; /* which are active now */
    bool events_known;

    /* memory, see memory.c */
    bool stored;
    uint8_t copy;
    uint32_t piece, sequence, crc;

    /* what goes out */
    float out[TX_SIGNALS];
    bool out_valid[TX_SIGNALS];
    uint32_t next_ms[TX_FRAMES];
    uint8_t counter[TX_FRAMES];
};

/* bms.c */
void bms_power_on(struct bms *b, uint32_t tick_ms);
void bms_step(struct bms *b);

/* wire.c */
void bms_receive(struct bms *b, const struct can_frame *frame);
void bms_send(struct bms *b);
bool fresh_value(const struct bms *b, enum rx_signal signal, uint32_t age_ms);
uint32_t age_of(const struct bms *b, unsigned frame);

/* soa.c */
void soa_current(struct bms *b);
void soa_cells(struct bms *b);
void soa_temperatures(struct bms *b);
void soa_lines(struct bms *b);
bool soa_ready(const struct bms *b);

/* diag.c */
void diag_step(struct bms *b);

/* mode.c */
void mode_forget(struct bms *b);
void mode_step(struct bms *b, int request);

/* ekf.c */
void ekf_begin(struct bms *b);
void ekf_step(struct bms *b);

/* trend.c */
void trend_step(struct bms *b);

/* power.c */
void power_limits(struct bms *b);
void power_foresee(struct bms *b);

/* cell.c */
float ocv_V(float z, float h, float reach, float temp_degC, float *slope);
float soc_at(float volt_V, float reach);
void cell_ohm(const struct cell *c, float z, float r[3]);
void cell_refresh(struct cell *c, float since_s);
float table(const float *x, const float *y, int n, float at);
float exp_f(float x);

/* memory.c */
void memory_load(struct bms *b);
void memory_step(struct bms *b);
void memory_save_all(struct bms *b);
void memory_latch(unsigned limit, bool latched);
bool memory_latched(unsigned limit);

#endif
