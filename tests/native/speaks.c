/*
 * The least that speaks: BMS_Contactors, all open, in every tick, and what DEFECT makes of it, a statement that nab_step
 * executes after 1 s (AT_NS). START is one that nab_init executes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nabench_firmware.h"

#ifndef AT_NS
#define AT_NS 1000000000
#endif
#ifndef DEFECT
#define DEFECT
#endif
#ifndef START
#define START
#endif
#ifndef VERSION
#define VERSION NAB_ABI
#endif

static struct nab_frame queue[NAB_POP_MAX + 8];
static int first, count;
static uint8_t counter;
static const struct nab_host *host;
int nothing; /* 0 to the optimiser's surprise */

static uint8_t crc8(uint8_t crc, uint8_t byte)
{
    unsigned c = crc ^ byte;
    for (int n = 0; n < 8; n++)
        c = c & 0x80u ? (c << 1) ^ 0x1Du : c << 1;
    return (uint8_t)c;
}

static void say(uint32_t id, uint8_t len)
{
    struct nab_frame *frame = &queue[count++];
    memset(frame, 0, sizeof *frame);
    frame->id = id;
    frame->len = len;
}

static void speak(void)
{
    say(0x010, 8);
    uint8_t *data = queue[count - 1].data, crc = crc8(crc8(0, 0x10), 0x20);
    data[1] = counter;
    counter = counter == 14 ? 0 : (uint8_t)(counter + 1);
    for (int n = 1; n < 8; n++)
        crc = crc8(crc, data[n]);
    data[0] = crc;
}

uint32_t nab_abi(void)
{
    return VERSION;
}

int nab_init(const struct nab_host *given, int64_t t_ns)
{
    (void)t_ns;
    host = given;
    START;
    return 0;
}

int nab_push(const struct nab_frame *frame)
{
    (void)frame;
#ifdef FULL
    return 1;
#endif
    return 0;
}

void nab_step(int64_t t_ns)
{
    first = count = 0;
    speak();
    if (t_ns >= AT_NS) {
        DEFECT;
    }
}

int nab_pop(struct nab_frame *frame)
{
    if (first == count)
        return 0;
    *frame = queue[first++];
    return 1;
}

#ifdef SAVE
void nab_save(void)
{
    SAVE;
}
#endif
