// SPDX-License-Identifier: Apache-2.0
// Drives an NPU under Verilator: a line in for each packet, a line out for its answer.
// Request: number of words, then the words. Answer: cycles, then its words; or `timeout` and the
// limit. All in hexadecimal. The one argument is the limit in cycles.
// With EXTERNAL, a line that begins with 0 has the number of words and the words of external memory;
// it is answered 0.

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "Vdevice.h"
#include "verilated.h"
#ifdef EXTERNAL
#include "external.h"
#endif

namespace {

#ifdef EXTERNAL
ExternalMemory external;
#endif

constexpr uint64_t kLast = uint64_t{1} << 32;
constexpr int kResetCycles = 4;

// A cycle with the inputs as they are.
void settle(Vdevice& npu) {
#ifdef EXTERNAL
    external.drive(npu);
#endif
    npu.eval();
}

void tick(Vdevice& npu) {
#ifdef EXTERNAL
    external.sample(npu);
#endif
    npu.clk = 1;
    npu.eval();
    npu.clk = 0;
    npu.eval();
}

// Words of a line; an empty vector if it is none.
std::vector<uint32_t> parse(const std::string& line) {
    std::vector<uint32_t> words;
    const char* at = line.c_str();
    char* end = nullptr;
    for (uint32_t word = std::strtoul(at, &end, 16); end != at;
         word = std::strtoul(at, &end, 16)) {
        words.push_back(word);
        at = end;
    }
    if (words.empty() || words.size() != words[0] + size_t{1}) words.clear();
    return words;
}

// Sends one packet and gathers its answer; false if that takes more than `limit` cycles.
bool transact(Vdevice& npu, const std::vector<uint32_t>& request, uint64_t limit, uint64_t& cycles,
              std::vector<uint32_t>& answer) {
    size_t sent = 1;  // The first word is the number of words.
    npu.response_ready = 1;
    bool done = false;
    for (cycles = 0; cycles < limit && !done; ++cycles) {
        const bool sending = sent < request.size();
        npu.command_valid = sending;
        if (sending) {
            npu.command_payload = request[sent] | (sent + 1 == request.size() ? kLast : 0);
        }
        settle(npu);
        const bool taken = npu.command_valid && npu.command_ready;
        const bool given = npu.response_valid;
        const uint64_t word = npu.response_payload;
        tick(npu);
        sent += taken;
        if (given) {
            answer.push_back(static_cast<uint32_t>(word));
            done = (word & kLast) != 0;
        }
    }
    npu.command_valid = 0;
    npu.response_ready = 0;
    npu.eval();
    return done;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s CYCLES\n", argv[0]);
        return 2;
    }
    const uint64_t limit = std::strtoull(argv[1], nullptr, 10);
    VerilatedContext context;
    Vdevice npu{&context};
    npu.clk = 0;
    npu.rst = 1;
    npu.command_valid = 0;
    npu.response_ready = 0;
    npu.eval();
    for (int cycle = 0; cycle < kResetCycles; ++cycle) {
        npu.clk = 1;
        npu.eval();
        npu.clk = 0;
        npu.eval();
    }
    npu.rst = 0;
    npu.eval();

    std::ios::sync_with_stdio(false);
    std::string line;
    while (std::getline(std::cin, line)) {
#ifdef EXTERNAL
        if (line.rfind("0 ", 0) == 0) {
            external.words = parse(line.substr(2));
            if (!external.words.empty()) external.words.erase(external.words.begin());
            std::printf("0\n");
            std::fflush(stdout);
            continue;
        }
#endif
        const std::vector<uint32_t> request = parse(line);
        if (request.size() < 2) {
            std::fprintf(stderr, "not a request: %.60s\n", line.c_str());
            return 2;
        }
        uint64_t cycles = 0;
        std::vector<uint32_t> answer;
        if (!transact(npu, request, limit, cycles, answer)) {
            std::printf("timeout %" PRIx64 "\n", limit);
            std::fflush(stdout);
            return 1;
        }
        std::printf("%" PRIx64, cycles);
        for (const uint32_t word : answer) std::printf(" %" PRIx32, word);
        std::printf("\n");
        std::fflush(stdout);
    }
    npu.final();
    return 0;
}
