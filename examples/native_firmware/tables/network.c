/* Written by nabench new headers; do not edit. Network classic for pack nfm-16s. */
#include "network.h"

const struct frame_layout rx_frames[RX_FRAMES] = {
    {0x20u, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x2020u, 0, 8, 10u, 0u}, /* PackIO_Status */
    {0x30u, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x2030u, 8, 3, 10u, 0u}, /* Shunt_Values */
    {0x31u, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x2031u, 11, 2, 100u, 0u}, /* Shunt_Charge */
    {0x80u, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x2080u, 13, 4, 100u, 0u}, /* Vehicle_Request */
    {0x100u, 0, 0, 8, 1, 0x3F000ull, 0x0ull, 0x1000u, 17, 3, 100u, 0u}, /* CellVoltages[0] */
    {0x100u, 0, 0, 8, 1, 0x3F000ull, 0x1000ull, 0x1001u, 20, 3, 100u, 10u}, /* CellVoltages[1] */
    {0x100u, 0, 0, 8, 1, 0x3F000ull, 0x2000ull, 0x1002u, 23, 3, 100u, 30u}, /* CellVoltages[2] */
    {0x100u, 0, 0, 8, 1, 0x3F000ull, 0x3000ull, 0x1003u, 26, 3, 100u, 50u}, /* CellVoltages[3] */
    {0x100u, 0, 0, 8, 1, 0x3F000ull, 0x4000ull, 0x1004u, 29, 3, 100u, 60u}, /* CellVoltages[4] */
    {0x100u, 0, 0, 8, 1, 0x3F000ull, 0x5000ull, 0x1005u, 32, 3, 100u, 80u}, /* CellVoltages[5] */
    {0x110u, 0, 0, 8, 1, 0xF000ull, 0x0ull, 0x1100u, 35, 4, 100u, 0u}, /* CellTemperatures[0] */
    {0x110u, 0, 0, 8, 1, 0xF000ull, 0x1000ull, 0x1101u, 39, 4, 100u, 50u}, /* CellTemperatures[1] */
};

const struct signal_layout rx_signals[RX_SIGNALS] = {
    {0, 12, 2, 0u, 1u, 2u, 2u, 3u, 0, 1.0f}, /* PackIO_MainPlusFeedback */
    {0, 14, 2, 0u, 1u, 2u, 2u, 3u, 0, 1.0f}, /* PackIO_MainMinusFeedback */
    {0, 16, 2, 0u, 1u, 2u, 2u, 3u, 0, 1.0f}, /* PackIO_PrechargeFeedback */
    {0, 18, 2, 0u, 1u, 2u, 2u, 3u, 0, 1.0f}, /* PackIO_Hvil */
    {0, 20, 2, 0u, 1u, 2u, 2u, 3u, 0, 1.0f}, /* PackIO_EmergencyLine */
    {0, 22, 10, 0u, 1020u, 1022u, 1022u, 1023u, 0, 0.05f}, /* PackIO_SupplyVoltage [V] */
    {0, 32, 14, 0u, 16000u, 16382u, 16382u, 16383u, 0, 1.0f}, /* PackIO_Insulation [kOhm] */
    {0, 46, 12, 0u, 2100u, 4094u, 4094u, 4095u, -600, 0.1f}, /* PackIO_CoolantTemperature [degC] */
    {1, 12, 20, 0u, 800000u, 1048574u, 1048574u, 1048575u, -400000, 0.005f}, /* Shunt_Current [A] */
    {1, 32, 16, 0u, 65500u, 65534u, 65534u, 65535u, 0, 0.02f}, /* Shunt_PackVoltage [V] */
    {1, 48, 16, 0u, 65500u, 65534u, 65534u, 65535u, 0, 0.02f}, /* Shunt_LinkVoltage [V] */
    {2, 12, 32, 0u, 4000000000u, 4294967294u, 4294967294u, 4294967295u, -2000000000, 0.0001f}, /* Shunt_ChargeCounter [Ah] */
    {2, 44, 12, 0u, 2100u, 4094u, 4094u, 4095u, -600, 0.1f}, /* Shunt_Temperature [degC] */
    {3, 12, 2, 0u, 2u, 0u, 2u, 3u, 0, 1.0f}, /* Vehicle_ModeRequest */
    {3, 14, 2, 0u, 1u, 2u, 2u, 3u, 0, 1.0f}, /* Vehicle_FaultReset */
    {3, 16, 2, 0u, 1u, 2u, 2u, 3u, 0, 1.0f}, /* Vehicle_ChargerConnected */
    {3, 18, 20, 0u, 1048500u, 1048574u, 1048574u, 1048575u, 0, 0.01f}, /* Vehicle_ParkedTime [h] */
    {4, 18, 15, 0u, 32500u, 32766u, 32766u, 32767u, -2500, 0.0002f}, /* CellVoltage_000 [V] */
    {4, 33, 15, 0u, 32500u, 32766u, 32766u, 32767u, -2500, 0.0002f}, /* CellVoltage_001 [V] */
    {4, 48, 15, 0u, 32500u, 32766u, 32766u, 32767u, -2500, 0.0002f}, /* CellVoltage_002 [V] */
    {5, 18, 15, 0u, 32500u, 32766u, 32766u, 32767u, -2500, 0.0002f}, /* CellVoltage_003 [V] */
    {5, 33, 15, 0u, 32500u, 32766u, 32766u, 32767u, -2500, 0.0002f}, /* CellVoltage_004 [V] */
    {5, 48, 15, 0u, 32500u, 32766u, 32766u, 32767u, -2500, 0.0002f}, /* CellVoltage_005 [V] */
    {6, 18, 15, 0u, 32500u, 32766u, 32766u, 32767u, -2500, 0.0002f}, /* CellVoltage_006 [V] */
    {6, 33, 15, 0u, 32500u, 32766u, 32766u, 32767u, -2500, 0.0002f}, /* CellVoltage_007 [V] */
    {6, 48, 15, 0u, 32500u, 32766u, 32766u, 32767u, -2500, 0.0002f}, /* CellVoltage_008 [V] */
    {7, 18, 15, 0u, 32500u, 32766u, 32766u, 32767u, -2500, 0.0002f}, /* CellVoltage_009 [V] */
    {7, 33, 15, 0u, 32500u, 32766u, 32766u, 32767u, -2500, 0.0002f}, /* CellVoltage_010 [V] */
    {7, 48, 15, 0u, 32500u, 32766u, 32766u, 32767u, -2500, 0.0002f}, /* CellVoltage_011 [V] */
    {8, 18, 15, 0u, 32500u, 32766u, 32766u, 32767u, -2500, 0.0002f}, /* CellVoltage_012 [V] */
    {8, 33, 15, 0u, 32500u, 32766u, 32766u, 32767u, -2500, 0.0002f}, /* CellVoltage_013 [V] */
    {8, 48, 15, 0u, 32500u, 32766u, 32766u, 32767u, -2500, 0.0002f}, /* CellVoltage_014 [V] */
    {9, 18, 15, 0u, 32500u, 32766u, 32766u, 32767u, -2500, 0.0002f}, /* CellVoltage_015 [V] */
    {9, 33, 15, 0u, 32500u, 32766u, 32766u, 32767u, -2500, 0.0002f}, /* CellVoltage_016 [V] */
    {9, 48, 15, 0u, 32500u, 32766u, 32766u, 32767u, -2500, 0.0002f}, /* CellVoltage_017 [V] */
    {10, 16, 12, 0u, 2100u, 4094u, 4094u, 4095u, -600, 0.1f}, /* CellTemperature_00 [degC] */
    {10, 28, 12, 0u, 2100u, 4094u, 4094u, 4095u, -600, 0.1f}, /* CellTemperature_01 [degC] */
    {10, 40, 12, 0u, 2100u, 4094u, 4094u, 4095u, -600, 0.1f}, /* CellTemperature_02 [degC] */
    {10, 52, 12, 0u, 2100u, 4094u, 4094u, 4095u, -600, 0.1f}, /* CellTemperature_03 [degC] */
    {11, 16, 12, 0u, 2100u, 4094u, 4094u, 4095u, -600, 0.1f}, /* CellTemperature_04 [degC] */
    {11, 28, 12, 0u, 2100u, 4094u, 4094u, 4095u, -600, 0.1f}, /* CellTemperature_05 [degC] */
    {11, 40, 12, 0u, 2100u, 4094u, 4094u, 4095u, -600, 0.1f}, /* CellTemperature_06 [degC] */
    {11, 52, 12, 0u, 2100u, 4094u, 4094u, 4095u, -600, 0.1f}, /* CellTemperature_07 [degC] */
};

const struct frame_layout tx_frames[TX_FRAMES] = {
    {0x10u, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x2010u, 0, 3, 10u, 0u}, /* BMS_Contactors */
    {0xA0u, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x20A0u, 3, 8, 10u, 0u}, /* BMS_Status */
    {0xA1u, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x20A1u, 11, 2, 100u, 0u}, /* BMS_Limits */
    {0xA2u, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x20A2u, 13, 2, 100u, 0u}, /* BMS_VoltageLimits */
    {0xA4u, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x20A4u, 15, 44, 10u, 0u}, /* BMS_DiagLimits */
    {0xA5u, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x20A5u, 59, 29, 10u, 0u}, /* BMS_DiagSensors */
    {0xA6u, 0, 0, 8, 1, 0x3F000ull, 0x0ull, 0x1A60u, 88, 2, 100u, 0u}, /* BMS_DischargeForesight[0] */
    {0xA6u, 0, 0, 8, 1, 0x3F000ull, 0x1000ull, 0x1A61u, 90, 2, 100u, 20u}, /* BMS_DischargeForesight[1] */
    {0xA6u, 0, 0, 8, 1, 0x3F000ull, 0x2000ull, 0x1A62u, 92, 2, 100u, 50u}, /* BMS_DischargeForesight[2] */
    {0xA6u, 0, 0, 8, 1, 0x3F000ull, 0x3000ull, 0x1A63u, 94, 2, 100u, 70u}, /* BMS_DischargeForesight[3] */
    {0xA7u, 0, 0, 8, 1, 0x3F000ull, 0x0ull, 0x1A70u, 96, 2, 100u, 0u}, /* BMS_ChargeForesight[0] */
    {0xA7u, 0, 0, 8, 1, 0x3F000ull, 0x1000ull, 0x1A71u, 98, 2, 100u, 20u}, /* BMS_ChargeForesight[1] */
    {0xA7u, 0, 0, 8, 1, 0x3F000ull, 0x2000ull, 0x1A72u, 100, 2, 100u, 50u}, /* BMS_ChargeForesight[2] */
    {0xA7u, 0, 0, 8, 1, 0x3F000ull, 0x3000ull, 0x1A73u, 102, 2, 100u, 70u}, /* BMS_ChargeForesight[3] */
    {0xA8u, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x20A8u, 104, 4, 100u, 0u}, /* BMS_SocValues */
    {0xA9u, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x20A9u, 108, 2, 100u, 0u}, /* BMS_SocAvailable */
    {0xAAu, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x20AAu, 110, 3, 100u, 0u}, /* BMS_PackValues */
    {0xABu, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x20ABu, 113, 4, 100u, 0u}, /* BMS_CellExtremes */
    {0xACu, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x20ACu, 117, 4, 100u, 0u}, /* BMS_TemperatureExtremes */
    {0xB0u, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x20B0u, 121, 2, 1000u, 0u}, /* BMS_Energy */
    {0xB1u, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x20B1u, 123, 2, 1000u, 0u}, /* BMS_EnergyToFull */
    {0xB2u, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x20B2u, 125, 4, 1000u, 0u}, /* BMS_Times */
    {0x120u, 0, 0, 8, 1, 0x3F000ull, 0x0ull, 0x1200u, 129, 3, 1000u, 0u}, /* BMS_CellSoc[0] */
    {0x120u, 0, 0, 8, 1, 0x3F000ull, 0x1000ull, 0x1201u, 132, 3, 1000u, 160u}, /* BMS_CellSoc[1] */
    {0x120u, 0, 0, 8, 1, 0x3F000ull, 0x2000ull, 0x1202u, 135, 3, 1000u, 330u}, /* BMS_CellSoc[2] */
    {0x120u, 0, 0, 8, 1, 0x3F000ull, 0x3000ull, 0x1203u, 138, 3, 1000u, 500u}, /* BMS_CellSoc[3] */
    {0x120u, 0, 0, 8, 1, 0x3F000ull, 0x4000ull, 0x1204u, 141, 3, 1000u, 660u}, /* BMS_CellSoc[4] */
    {0x120u, 0, 0, 8, 1, 0x3F000ull, 0x5000ull, 0x1205u, 144, 3, 1000u, 830u}, /* BMS_CellSoc[5] */
    {0x130u, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x2130u, 147, 5, 1000u, 0u}, /* BMS_Health */
    {0x131u, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x2131u, 152, 4, 1000u, 0u}, /* BMS_Trend */
    {0x132u, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x2132u, 156, 2, 1000u, 0u}, /* BMS_Counters */
    {0x133u, 0, 0, 8, 1, 0x0ull, 0x0ull, 0x2133u, 158, 5, 1000u, 0u}, /* BMS_Events */
};

const struct signal_layout tx_signals[TX_SIGNALS] = {
    {0, 12, 2, 0u, 1u, 2u, 2u, 3u, 0, 1.0f}, /* BMS_MainPlusCommand */
    {0, 14, 2, 0u, 1u, 2u, 2u, 3u, 0, 1.0f}, /* BMS_MainMinusCommand */
    {0, 16, 2, 0u, 1u, 2u, 2u, 3u, 0, 1.0f}, /* BMS_PrechargeCommand */
    {1, 12, 4, 0u, 6u, 0u, 6u, 15u, 0, 1.0f}, /* BMS_State */
    {1, 16, 8, 0u, 128u, 0u, 128u, 255u, 0, 1.0f}, /* BMS_FaultCode */
    {1, 24, 3, 0u, 3u, 0u, 3u, 7u, 0, 1.0f}, /* BMS_WorstTier */
    {1, 27, 2, 0u, 1u, 2u, 2u, 3u, 0, 1.0f}, /* BMS_ReactionPending */
    {1, 29, 2, 0u, 1u, 2u, 2u, 3u, 0, 1.0f}, /* BMS_ChargeAllowed */
    {1, 31, 2, 0u, 1u, 2u, 2u, 3u, 0, 1.0f}, /* BMS_DischargeAllowed */
    {1, 33, 3, 0u, 7u, 0u, 7u, 0u, 0, 1.0f}, /* BMS_PrechargeTries */
    {1, 36, 16, 0u, 65535u, 0u, 65535u, 0u, 0, 1.0f}, /* BMS_Uptime [s] */
    {2, 12, 16, 0u, 65520u, 65534u, 65534u, 65535u, 0, 0.05f}, /* BMS_DischargeCurrentLimit [A] */
    {2, 28, 16, 0u, 65520u, 65534u, 65534u, 65535u, 0, 0.05f}, /* BMS_ChargeCurrentLimit [A] */
    {3, 12, 16, 0u, 65500u, 65534u, 65534u, 65535u, 0, 0.02f}, /* BMS_ChargeVoltageLimit [V] */
    {3, 28, 16, 0u, 65500u, 65534u, 65534u, 65535u, 0, 0.02f}, /* BMS_DischargeVoltageLimit [V] */
    {4, 12, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_CellOvervoltageMol */
    {4, 13, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_CellOvervoltageRsl */
    {4, 14, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_CellOvervoltageMsl */
    {4, 15, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_CellOvervoltageCritical */
    {4, 16, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_CellUndervoltageMol */
    {4, 17, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_CellUndervoltageRsl */
    {4, 18, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_CellUndervoltageMsl */
    {4, 19, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_CellUndervoltageCritical */
    {4, 20, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_OvertempChargeMol */
    {4, 21, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_OvertempChargeRsl */
    {4, 22, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_OvertempChargeMsl */
    {4, 23, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_OvertempDischargeMol */
    {4, 24, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_OvertempDischargeRsl */
    {4, 25, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_OvertempDischargeMsl */
    {4, 26, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_UndertempChargeMol */
    {4, 27, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_UndertempChargeRsl */
    {4, 28, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_UndertempChargeMsl */
    {4, 29, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_UndertempDischargeMol */
    {4, 30, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_UndertempDischargeRsl */
    {4, 31, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_UndertempDischargeMsl */
    {4, 32, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_OvercurrentChargeMol */
    {4, 33, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_OvercurrentChargeRsl */
    {4, 34, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_OvercurrentChargeMsl */
    {4, 35, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_OvercurrentDischargeMol */
    {4, 36, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_OvercurrentDischargeRsl */
    {4, 37, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_OvercurrentDischargeMsl */
    {4, 38, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_DeepDischarge */
    {4, 39, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_TemperatureRate */
    {4, 40, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_User00 */
    {4, 41, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_User01 */
    {4, 42, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_User02 */
    {4, 43, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_User03 */
    {4, 44, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_User04 */
    {4, 45, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_User05 */
    {4, 46, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_User06 */
    {4, 47, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_User07 */
    {4, 48, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_User08 */
    {4, 49, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_User09 */
    {4, 50, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_User10 */
    {4, 51, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_User11 */
    {4, 52, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_User12 */
    {4, 53, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_User13 */
    {4, 54, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_User14 */
    {4, 55, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_User15 */
    {5, 12, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_CellDataLost */
    {5, 13, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_CellDataInvalid */
    {5, 14, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_CellStuck */
    {5, 15, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_CellSpread */
    {5, 16, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_PackVoltageMismatch */
    {5, 17, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_TemperatureLost */
    {5, 18, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_TemperatureInvalid */
    {5, 19, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_TemperatureSpread */
    {5, 20, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_CurrentLost */
    {5, 21, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_CurrentInvalid */
    {5, 22, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_CurrentOffset */
    {5, 23, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_CurrentDirection */
    {5, 24, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_PackIoLost */
    {5, 25, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_RequestLost */
    {5, 26, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_LinkMismatch */
    {5, 27, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_MainPlusFeedback */
    {5, 28, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_MainMinusFeedback */
    {5, 29, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_PrechargeFeedback */
    {5, 30, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_MainPlusWelded */
    {5, 31, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_MainMinusWelded */
    {5, 32, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_PrechargeFailed */
    {5, 33, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_PrechargeTooFast */
    {5, 34, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_HvilOpen */
    {5, 35, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_EmergencyLine */
    {5, 36, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_InsulationWarning */
    {5, 37, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_InsulationLow */
    {5, 38, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_CurrentOnOpen */
    {5, 39, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_InitTimeout */
    {5, 40, 1, 0u, 1u, 0u, 1u, 0u, 0, 1.0f}, /* Diag_SupplyLow */
    {6, 18, 18, 0u, 262100u, 262142u, 262142u, 262143u, 0, 0.01f}, /* BMS_DischargeCurrent2s [A] */
    {6, 36, 24, 0u, 16777210u, 16777214u, 16777214u, 16777215u, 0, 0.1f}, /* BMS_DischargePower2s [W] */
    {7, 18, 18, 0u, 262100u, 262142u, 262142u, 262143u, 0, 0.01f}, /* BMS_DischargeCurrent10s [A] */
    {7, 36, 24, 0u, 16777210u, 16777214u, 16777214u, 16777215u, 0, 0.1f}, /* BMS_DischargePower10s [W] */
    {8, 18, 18, 0u, 262100u, 262142u, 262142u, 262143u, 0, 0.01f}, /* BMS_DischargeCurrent30s [A] */
    {8, 36, 24, 0u, 16777210u, 16777214u, 16777214u, 16777215u, 0, 0.1f}, /* BMS_DischargePower30s [W] */
    {9, 18, 18, 0u, 262100u, 262142u, 262142u, 262143u, 0, 0.01f}, /* BMS_DischargeCurrentContinuous [A] */
    {9, 36, 24, 0u, 16777210u, 16777214u, 16777214u, 16777215u, 0, 0.1f}, /* BMS_DischargePowerContinuous [W] */
    {10, 18, 18, 0u, 262100u, 262142u, 262142u, 262143u, 0, 0.01f}, /* BMS_ChargeCurrent2s [A] */
    {10, 36, 24, 0u, 16777210u, 16777214u, 16777214u, 16777215u, 0, 0.1f}, /* BMS_ChargePower2s [W] */
    {11, 18, 18, 0u, 262100u, 262142u, 262142u, 262143u, 0, 0.01f}, /* BMS_ChargeCurrent10s [A] */
    {11, 36, 24, 0u, 16777210u, 16777214u, 16777214u, 16777215u, 0, 0.1f}, /* BMS_ChargePower10s [W] */
    {12, 18, 18, 0u, 262100u, 262142u, 262142u, 262143u, 0, 0.01f}, /* BMS_ChargeCurrent30s [A] */
    {12, 36, 24, 0u, 16777210u, 16777214u, 16777214u, 16777215u, 0, 0.1f}, /* BMS_ChargePower30s [W] */
    {13, 18, 18, 0u, 262100u, 262142u, 262142u, 262143u, 0, 0.01f}, /* BMS_ChargeCurrentContinuous [A] */
    {13, 36, 24, 0u, 16777210u, 16777214u, 16777214u, 16777215u, 0, 0.1f}, /* BMS_ChargePowerContinuous [W] */
    {14, 12, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* BMS_Soc [%] */
    {14, 26, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* BMS_SocMin [%] */
    {14, 40, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* BMS_SocMax [%] */
    {14, 54, 10, 0u, 1020u, 1022u, 1022u, 1023u, 0, 0.1f}, /* BMS_SocBand [%] */
    {15, 12, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* BMS_AvailableSoc [%] */
    {15, 26, 20, 0u, 1000000u, 1048574u, 1048574u, 1048575u, 0, 0.01f}, /* BMS_RemainingCharge [Ah] */
    {16, 12, 20, 0u, 800000u, 1048574u, 1048574u, 1048575u, -400000, 0.005f}, /* BMS_PackCurrent [A] */
    {16, 32, 16, 0u, 65500u, 65534u, 65534u, 65535u, 0, 0.02f}, /* BMS_PackVoltage [V] */
    {16, 48, 16, 0u, 65500u, 65534u, 65534u, 65535u, 0, 0.02f}, /* BMS_LinkVoltage [V] */
    {17, 12, 15, 0u, 32500u, 32766u, 32766u, 32767u, -2500, 0.0002f}, /* BMS_CellVoltageMax [V] */
    {17, 27, 15, 0u, 32500u, 32766u, 32766u, 32767u, -2500, 0.0002f}, /* BMS_CellVoltageMin [V] */
    {17, 42, 8, 0u, 191u, 0u, 191u, 0u, 0, 1.0f}, /* BMS_CellMaxIndex */
    {17, 50, 8, 0u, 191u, 0u, 191u, 0u, 0, 1.0f}, /* BMS_CellMinIndex */
    {18, 12, 12, 0u, 2100u, 4094u, 4094u, 4095u, -600, 0.1f}, /* BMS_TemperatureMax [degC] */
    {18, 24, 12, 0u, 2100u, 4094u, 4094u, 4095u, -600, 0.1f}, /* BMS_TemperatureMin [degC] */
    {18, 36, 6, 0u, 63u, 0u, 63u, 0u, 0, 1.0f}, /* BMS_TemperatureMaxIndex */
    {18, 42, 6, 0u, 63u, 0u, 63u, 0u, 0, 1.0f}, /* BMS_TemperatureMinIndex */
    {19, 12, 24, 0u, 16777210u, 16777214u, 16777214u, 16777215u, 0, 0.1f}, /* BMS_RemainingEnergy [Wh] */
    {19, 36, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* BMS_EnergyShare [%] */
    {20, 12, 24, 0u, 16777210u, 16777214u, 16777214u, 16777215u, 0, 0.1f}, /* BMS_EnergyToFull [Wh] */
    {20, 36, 20, 0u, 800000u, 1048574u, 1048574u, 1048575u, -400000, 0.005f}, /* BMS_AverageCurrent [A] */
    {21, 12, 13, 0u, 8188u, 8190u, 8190u, 8191u, 0, 0.5f}, /* BMS_TimeToEmpty [min] */
    {21, 25, 13, 0u, 8188u, 8190u, 8190u, 8191u, 0, 0.5f}, /* BMS_TimeToFull [min] */
    {21, 38, 13, 0u, 8188u, 8190u, 8190u, 8191u, 0, 0.5f}, /* BMS_ReferenceTimeToEmpty [min] */
    {21, 51, 13, 0u, 8188u, 8190u, 8190u, 8191u, 0, 0.5f}, /* BMS_ReferenceTimeToFull [min] */
    {22, 18, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* CellSoc_000 [%] */
    {22, 32, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* CellSoc_001 [%] */
    {22, 46, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* CellSoc_002 [%] */
    {23, 18, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* CellSoc_003 [%] */
    {23, 32, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* CellSoc_004 [%] */
    {23, 46, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* CellSoc_005 [%] */
    {24, 18, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* CellSoc_006 [%] */
    {24, 32, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* CellSoc_007 [%] */
    {24, 46, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* CellSoc_008 [%] */
    {25, 18, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* CellSoc_009 [%] */
    {25, 32, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* CellSoc_010 [%] */
    {25, 46, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* CellSoc_011 [%] */
    {26, 18, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* CellSoc_012 [%] */
    {26, 32, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* CellSoc_013 [%] */
    {26, 46, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* CellSoc_014 [%] */
    {27, 18, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* CellSoc_015 [%] */
    {27, 32, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* CellSoc_016 [%] */
    {27, 46, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* CellSoc_017 [%] */
    {28, 12, 12, 0u, 4000u, 4094u, 4094u, 4095u, 0, 0.05f}, /* BMS_SohCapacity [%] */
    {28, 24, 10, 0u, 1020u, 1022u, 1022u, 1023u, 0, 0.1f}, /* BMS_SohCapacityBand [%] */
    {28, 34, 12, 0u, 4000u, 4094u, 4094u, 4095u, 0, 0.2f}, /* BMS_SohResistance [%] */
    {28, 46, 10, 0u, 1020u, 1022u, 1022u, 1023u, 0, 0.1f}, /* BMS_SohResistanceBand [%] */
    {28, 56, 8, 0u, 191u, 254u, 254u, 255u, 0, 1.0f}, /* BMS_SohCellIndex */
    {29, 12, 14, 0u, 10000u, 16382u, 16382u, 16383u, 0, 0.01f}, /* BMS_Imbalance [%] */
    {29, 26, 14, 0u, 13000u, 16382u, 16382u, 16383u, -6500, 1.0f}, /* BMS_ImbalanceRate [%/month] */
    {29, 40, 16, 0u, 65000u, 65534u, 65534u, 65535u, 0, 0.1f}, /* BMS_SelfDischarge [%/month] */
    {29, 56, 8, 0u, 191u, 254u, 254u, 255u, 0, 1.0f}, /* BMS_SelfDischargeIndex */
    {30, 12, 24, 0u, 16777210u, 16777214u, 16777214u, 16777215u, 0, 0.1f}, /* BMS_ChargedTotal [Ah] */
    {30, 36, 24, 0u, 16777210u, 16777214u, 16777214u, 16777215u, 0, 0.1f}, /* BMS_DischargedTotal [Ah] */
    {31, 12, 18, 0u, 262141u, 262142u, 262142u, 262143u, 0, 1.0f}, /* BMS_OperatingHours [h] */
    {31, 30, 16, 0u, 65530u, 65534u, 65534u, 65535u, 0, 0.1f}, /* BMS_FullCycles [cycles] */
    {31, 46, 6, 0u, 61u, 62u, 62u, 63u, 0, 1.0f}, /* BMS_DeepDischarges [events] */
    {31, 52, 6, 0u, 61u, 62u, 62u, 63u, 0, 1.0f}, /* BMS_OvervoltageEvents [events] */
    {31, 58, 6, 0u, 61u, 62u, 62u, 63u, 0, 1.0f}, /* BMS_UndervoltageEvents [events] */
};
