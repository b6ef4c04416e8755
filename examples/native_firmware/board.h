/* What the BMS needs of its board: a CAN controller that sends, and non-volatile memory. nabench.c is one such board. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

struct can_frame {
    uint32_t id;
    uint8_t bus;
    uint8_t extended;
    uint8_t length; /* 0 to 8 */
    uint8_t data[8];
};

void board_send(const struct can_frame *frame);
void board_nvm_read(uint32_t offset, void *to, uint32_t length);
void board_nvm_write(uint32_t offset, const void *from, uint32_t length);

#endif
