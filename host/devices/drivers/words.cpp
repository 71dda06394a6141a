// SPDX-License-Identifier: Apache-2.0
// Drives the words of an NPU's streams under Verilator, whatever packets they make: a line in for
// words to send, a line out for words that came.
// In: cycles of reset, most cycles to wait, idle, hold, seed, number of words, the words.
// Out: the words that came, then cycles, words not taken yet, answers not come yet, words that were
// withdrawn. All in hexadecimal; bit 32 of a word is `last`.
// A word is offered in a cycle with probability 1 - idle / 256, and then until it is taken; words
// are taken from the NPU with probability 1 - hold / 256. It ends when all is taken and as many
// answers have ended as packets; words not taken stay, and are offered at the next line. A reset
// comes first, and forgets them.

#include <cinttypes>
#include <cstdio>
#include <deque>
#include <iostream>
#include <sstream>
#include <string>

#include "Vdevice.h"
#include "verilated.h"

namespace {

constexpr int kLast = 32;

struct Link {
    Vdevice& npu;
    std::deque<uint64_t> words;  // Not taken yet.
    int64_t owed = 0;            // Answers not come yet.
    bool offered = false;        // The first of the words.
    bool waits = false;          // The NPU offers `waiting`.
    uint64_t waiting = 0;
    uint64_t withdrawn = 0;
    uint32_t random = 1;
};

void tick(Vdevice& npu) {
    npu.clk = 1;
    npu.eval();
    npu.clk = 0;
    npu.eval();
}

void reset(Link& link, uint64_t cycles) {
    link.npu.rst = 1;
    link.npu.command_valid = 0;
    link.npu.response_ready = 0;
    link.npu.eval();
    for (uint64_t cycle = 0; cycle < cycles; ++cycle) tick(link.npu);
    link.npu.rst = 0;
    link.npu.eval();
    link.words.clear();
    link.owed = 0;
    link.offered = link.waits = false;
}

// True in `share` of 256 cases: xorshift32 (Marsaglia 2003).
bool chance(Link& link, uint32_t share) {
    link.random ^= link.random << 13;
    link.random ^= link.random >> 17;
    link.random ^= link.random << 5;
    return link.random >> 24 < share;
}

void cycle(Link& link, uint32_t idle, uint32_t hold) {
    Vdevice& npu = link.npu;
    const bool pause = chance(link, idle);
    const bool held = chance(link, hold);
    link.offered |= !link.words.empty() && !pause;
    npu.command_valid = link.offered;
    if (link.offered) npu.command_payload = link.words.front();
    npu.response_ready = !held;
    npu.eval();
    const bool taken = link.offered && npu.command_ready;
    const bool valid = npu.response_valid;
    const uint64_t word = npu.response_payload;
    link.withdrawn += link.waits && (!valid || word != link.waiting);
    link.waits = valid && held;
    link.waiting = word;
    tick(npu);
    if (taken) {
        link.owed += link.words.front() >> kLast;
        link.words.pop_front();
        link.offered = false;
    }
    if (valid && !held) {
        link.owed -= word >> kLast;
        std::printf("%" PRIx64 " ", word);
    }
}

}  // namespace

int main() {
    VerilatedContext context;
    Vdevice npu{&context};
    npu.clk = 0;
    Link link{npu};
    std::ios::sync_with_stdio(false);
    std::string line;
    while (std::getline(std::cin, line)) {
        std::istringstream in(line);
        uint64_t pin = 0, limit = 0, idle = 0, hold = 0, count = 0, word = 0;
        in >> std::hex >> pin >> limit >> idle >> hold >> link.random >> count;
        if (pin) reset(link, pin);
        while (count && in >> word) {
            link.words.push_back(word);
            --count;
        }
        if (!in || count) {
            std::fprintf(stderr, "not a request: %.60s\n", line.c_str());
            return 2;
        }
        uint64_t cycles = 0;
        for (; cycles < limit && (!link.words.empty() || link.owed > 0); ++cycles) {
            cycle(link, static_cast<uint32_t>(idle), static_cast<uint32_t>(hold));
        }
        const uint64_t owed = static_cast<uint64_t>(link.owed > 0 ? link.owed : 0);
        std::printf("%" PRIx64 " %zx %" PRIx64 " %" PRIx64 "\n", cycles, link.words.size(), owed,
                    link.withdrawn);
        std::fflush(stdout);
    }
    npu.final();
    return 0;
}
