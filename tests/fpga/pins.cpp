// SPDX-License-Identifier: Apache-2.0
// Drives the pins of a board's top level: a clock, a serial line in, a serial line out, a light.
// In, a line: cycles to run, cycles of a bit, whether the button is pressed, bytes to send, all in
// hexadecimal. Out, a line: the bytes that came, then `-`, then how often the light changed, what
// it is, and the cycles that were run. What is sent begins at once; cycles go on until all bytes have
// gone.

#include <cinttypes>
#include <cstdio>
#include <deque>
#include <iostream>
#include <sstream>
#include <string>

#include "Vboard.h"
#include "verilated.h"

namespace {

struct Line {
    uint64_t divisor = 1;
    std::deque<unsigned> waiting;
    unsigned frame = 1;  // Bits still to send, the stop bit as the highest one.
    uint64_t left = 0;   // Cycles of the bit that is on the line.
    int64_t since = -1;  // Cycles since the start bit of what comes began.
    unsigned coming = 0;
};

bool send(Line& line) {
    if (line.left) {
        --line.left;
    } else if (line.frame > 1) {
        line.frame >>= 1;
        line.left = line.divisor - 1;
    } else if (!line.waiting.empty()) {
        line.frame = (line.waiting.front() << 1) | 0x200;
        line.waiting.pop_front();
        line.left = line.divisor - 1;
    }
    return line.frame & 1;
}

void receive(Line& line, bool tx) {
    if (line.since < 0) {
        if (tx) return;
        line.since = 0;
        line.coming = 0;
    }
    const uint64_t cycle = static_cast<uint64_t>(line.since++);
    const uint64_t bit = cycle / line.divisor;
    if (cycle % line.divisor != line.divisor / 2) return;
    if (bit >= 1 && bit <= 8) line.coming |= static_cast<unsigned>(tx) << (bit - 1);
    if (bit == 9) {
        std::printf(tx ? "%02x " : "!%02x ", line.coming);
        line.since = -1;
    }
}

}  // namespace

int main() {
    VerilatedContext context;
    Vboard board{&context};
    Line line;
    std::ios::sync_with_stdio(false);
    std::string text;
    bool was = false;
    while (std::getline(std::cin, text)) {
        std::istringstream in(text);
        uint64_t cycles = 0, byte = 0, changes = 0;
        unsigned pressed = 0;
        in >> std::hex >> cycles >> line.divisor >> pressed;
        while (in >> byte) line.waiting.push_back(static_cast<unsigned>(byte));
        board.button = pressed;
        uint64_t cycle = 0;
        for (; cycle < cycles || !line.waiting.empty() || line.frame > 1 || line.left; ++cycle) {
            board.rx = send(line);
            board.clk = 1;
            board.eval();
            board.clk = 0;
            board.eval();
            receive(line, board.tx);
            changes += was != static_cast<bool>(board.light);
            was = board.light;
        }
        std::printf("- %" PRIx64 " %d %" PRIx64 "\n", changes, static_cast<int>(board.light), cycle);
        std::fflush(stdout);
    }
    board.final();
    return 0;
}
