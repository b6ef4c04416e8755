/* Written by nabench new headers; do not edit. Calibration nfm-16s of pack nfm-16s. */

#ifndef CALIBRATION_H
#define CALIBRATION_H

#include <stdint.h>

enum tier { TIER_NONE, TIER_MOL, TIER_RSL, TIER_MSL };
enum when { WHEN_ALWAYS, WHEN_CHARGING, WHEN_NOT_CHARGING, WHEN_CLOSED, WHEN_OPENED };
enum reaction { REACT_NONE, REACT_STOP_CHARGE, REACT_STOP_DISCHARGE, REACT_STOP, REACT_OPEN };
enum latch { LATCH_NO, LATCH_UNTIL_RESET, LATCH_SURVIVES };

/* One protection. Thresholds stand half a step of the wire beyond the value that is still allowed. */
struct limit {
    uint8_t quantity; /* enum quantity of the firmware */
    int8_t side;      /* +1: bad above the threshold; -1: below */
    uint8_t tier;
    uint8_t when;
    uint8_t reaction;
    uint8_t latch;
    uint8_t code;  /* of BMS_FaultCode */
    uint16_t flag; /* its signal in network.h */
    uint32_t debounce_ms;
    uint32_t clear_ms;
    uint32_t delay_ms;
    float threshold;
    float clear;
};

#define N_CELLS 16
#define N_STRINGS 1
#define N_NTC 6
#define N_LIMITS 57
#define E2E_MAX_DELTA 3u
#define E2E_WINDOW 5u
#define E2E_MIN_OK 2u
#define E2E_MAX_ERRORS 2u
#define CELL_AGE_MS 250u
#define TEMP_AGE_MS 500u
#define CURRENT_AGE_MS 100u
#define PACK_IO_AGE_MS 100u
#define REQUEST_AGE_MS 500u
#define BOOT_MS 50u
#define READY_MS 200u
#define INIT_TIMEOUT_MS 2000u
#define SAVE_MS 10000u
#define PRECHARGE_TIMEOUT_MS 2000u
#define PRECHARGE_MIN_MS 50u
#define PRECHARGE_RETRY_MS 3000u
#define PRECHARGE_TRIES 3u
#define CLOSE_MS 200u
#define SETTLE_MS 60u
#define OPEN_GRACE_MS 1000u
#define N_POWER 9
#define N_OCV 35
#define N_ENTROPY 11
#define N_R_SOC 16
#define N_R_TEMP 6
#define N_REACH 4
#define N_PULSE 4
#define PRECHARGE_LINK_SHARE 0.95f
#define PRECHARGE_END_A 0.2f
#define PRECHARGE_FAST_SHARE 0.5f
#define OPEN_MAX_A 0.5f
#define REST_A 0.05f
#define STUCK_STEP_A 0.3f
#define DIRECTION_STEP_A 0.3f
#define RATE_TAU_S 2.0f
#define CHARGE_MAX_V 4.1f
#define CHARGE_TAPER_V 0.2f
#define DISCHARGE_MIN_V 1.5f
#define DISCHARGE_TAPER_V 0.3f
#define CAPACITY_AH 1.50675f
#define TAU1_S 0.0598f
#define TAU2_S 60.0f
#define BELOW_EMPTY_V 22.0f
#define ABOVE_FULL_V 0.98f
#define CELL_SIGMA_V 0.001f
#define MODEL_V2S 0.02f
#define CURRENT_ERROR_SHARE 0.01f
#define CURRENT_ERROR_A 0.008f
#define CURRENT_CORRELATION_S 600.0f
#define START_SIGMA 0.05f
#define STORED_SIGMA 0.02f
#define RC_NOISE_V2_PER_S 1e-07f
#define BAND_FLOOR 0.015f
#define REACH_TAU_S 2000.0f
#define HYST_DECAY 40.0f
#define RESISTANCE_ERROR_SHARE 0.1f
#define PULSE_SIGMAS 2.7f
#define PULSE_ERROR_V 0.02f
#define PULSE_R_SHARE 0.08f
#define SOC_WINDOW_MIN 0.0f
#define SOC_WINDOW_MAX 1.0f

extern const struct limit limits[N_LIMITS];
extern const uint8_t ntc_of_cell[N_CELLS];
extern const float power_degC[N_POWER];
extern const float power_charge_A[N_POWER];
extern const float power_discharge_A[N_POWER];
extern const float pulse_s[N_PULSE];
extern const float pulse_share[N_PULSE];
extern const float ocv_soc[N_OCV];
extern const float ocv_discharge_V[N_OCV];
extern const float ocv_charge_V[N_OCV];
extern const float entropy_soc[N_ENTROPY];
extern const float entropy_V_per_K[N_ENTROPY];
extern const float r_soc[N_R_SOC];
extern const float r_per_K[N_R_TEMP];
extern const float ln_r0[N_R_TEMP][N_R_SOC];
extern const float ln_r1[N_R_TEMP][N_R_SOC];
extern const float ln_r2[N_R_TEMP][N_R_SOC];
extern const float reach_degC[N_REACH];
extern const float reach_share[N_REACH];

#endif
