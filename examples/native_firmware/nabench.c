/* The board that nabench is: frames and memory of nabench_firmware.h. On a controller this file is its drivers. */
#include <string.h>

#include "bms.h"
#include "nabench_firmware.h"

#define ROOM 128

static struct bms bms;
static const struct nab_host *host;
static struct nab_frame queue[ROOM];
static unsigned first, count;

void board_send(const struct can_frame *frame)
{
    if (count == ROOM)
        return; /* a full transmit buffer loses the newest */
    struct nab_frame *to = &queue[(first + count++) % ROOM];
    memset(to, 0, sizeof *to);
    to->id = frame->id;
    to->bus = frame->bus;
    to->flags = frame->extended ? NAB_EXTENDED : 0;
    to->len = frame->length;
    memcpy(to->data, frame->data, frame->length);
}

void board_nvm_read(uint32_t offset, void *to, uint32_t length)
{
    if (host->nvm_read(offset, to, length) != 0)
        memset(to, NAB_NVM_ERASED, length);
}

void board_nvm_write(uint32_t offset, const void *from, uint32_t length)
{
    (void)host->nvm_write(offset, from, length);
}

uint32_t nab_abi(void)
{
    return NAB_ABI;
}

int nab_init(const struct nab_host *given, int64_t t_ns)
{
    (void)t_ns;
    if (given->tick_ns % 1000000 != 0)
        return 1; /* this firmware counts in milliseconds */
    host = given;
    bms_power_on(&bms, (uint32_t)(given->tick_ns / 1000000));
    return 0;
}

int nab_push(const struct nab_frame *frame)
{
    if (frame->flags & NAB_FD)
        return 1;
    struct can_frame taken = {frame->id, frame->bus, frame->flags & NAB_EXTENDED, frame->len, {0}};
    memcpy(taken.data, frame->data, sizeof taken.data);
    bms_receive(&bms, &taken);
    return 0;
}

void nab_step(int64_t t_ns)
{
    (void)t_ns; /* ticks are equal, and this firmware counts them */
    bms_step(&bms);
}

int nab_pop(struct nab_frame *frame)
{
    if (count == 0)
        return 0;
    *frame = queue[first];
    first = (first + 1) % ROOM;
    count--;
    return 1;
}

void nab_save(void)
{
    memory_save_all(&bms);
}
