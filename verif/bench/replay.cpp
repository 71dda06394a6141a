// SPDX-License-Identifier: Apache-2.0
// Replays the transfers of a bench on the same Verilated model, and times it.
// Arguments: the file of transfers; the first cycle after the reset; how many cycles to time, from
// each of the cycles that follow as arguments. A line of the file is a stream, the first cycle of
// the offer, the cycle of the transfer, and the payload in hexadecimal, 32 bits a word, lowest word
// first.
// Every transfer must happen in its cycle, and every output be the recorded one.
// Prints the nanoseconds of processor time that the timed cycles took.

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "Vtop.h"
#include "streams.h"
#include "verilated.h"

// Verilator spells the second of two underscores as its code.
#define PIN(name, member) top.name##___05F##member

// The model asks for it, as it was built for cocotb.
double sc_time_stamp() { return 0; }

namespace {

using Words = std::vector<uint32_t>;

struct Transfer {
    uint64_t since = 0;
    uint64_t cycle = 0;
    Words payload;
};

// The transfers of one stream, in order.
struct Stream {
    std::vector<Transfer> transfers;
    size_t next = 0;
    bool offers = false;

    const Transfer* due() const { return next < transfers.size() ? &transfers[next] : nullptr; }
};

// Ports of up to 64 bits are integers, wider ones have words.
template <typename T>
void set(T& pin, const Words& words) {
    uint64_t value = words[0];
    if (words.size() > 1) value |= uint64_t{words[1]} << 32;
    pin = static_cast<T>(value);
}

template <std::size_t N>
void set(VlWide<N>& pin, const Words& words) {
    for (size_t word = 0; word < N; ++word) pin[word] = words[word];
}

template <typename T>
uint32_t word_of(const T& pin, size_t word) {
    return static_cast<uint32_t>(static_cast<uint64_t>(pin) >> (32 * word));
}

template <std::size_t N>
uint32_t word_of(const VlWide<N>& pin, size_t word) {
    return pin[word];
}

template <typename T>
bool carries(const T& pin, const Words& words) {
    for (size_t word = 0; word < words.size(); ++word) {
        if (word_of(pin, word) != words[word]) return false;
    }
    return true;
}

[[noreturn]] void fail(const char* stream, uint64_t cycle, const char* what) {
    std::fprintf(stderr, "cycle %" PRIu64 ", stream %s: %s\n", cycle, stream, what);
    std::exit(1);
}

int64_t now() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return int64_t{time.tv_sec} * 1000000000 + time.tv_nsec;
}

std::map<std::string, Stream> read_streams(const char* path) {
    std::map<std::string, Stream> streams;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        std::istringstream fields(line);
        std::string name;
        Transfer transfer;
        fields >> name >> transfer.since >> transfer.cycle >> std::hex;
        for (uint32_t word = 0; fields >> word;) transfer.payload.push_back(word);
        streams[name].transfers.push_back(transfer);
    }
    return streams;
}

void drive(Stream& stream, uint64_t cycle) {
    if (!stream.offers) stream.offers = stream.due() && stream.due()->since == cycle;
}

// Whether the due transfer happens in this cycle, which must be its own.
void settle(Stream& stream, const char* name, uint64_t cycle, bool happens) {
    const Transfer* due = stream.due();
    if (happens != (due && due->cycle == cycle)) {
        fail(name, cycle, happens ? "a transfer that was not recorded" : "no transfer");
    }
    if (happens) {
        ++stream.next;
        stream.offers = false;
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) {
        std::fprintf(stderr, "usage: %s TRANSFERS START PAUSE FIRST ...\n", argv[0]);
        return 2;
    }
    std::map<std::string, Stream> streams = read_streams(argv[1]);
#define STREAM(name) Stream& name = streams[#name];
    SOURCES(STREAM)
    SINKS(STREAM)
    uint64_t cycle = std::strtoull(argv[2], nullptr, 10);
    const uint64_t pause = std::strtoull(argv[3], nullptr, 10);

    VerilatedContext context;
    Vtop top{&context};
    top.clk = 0;
    top.rst = 1;
    for (int edges = 0; edges < 4; ++edges) {
        top.eval();
        top.clk = !top.clk;
    }
    top.rst = 0;
#define TAKE(name) PIN(name, ready) = 1;
    SINKS(TAKE)

    const auto pass_cycle = [&] {
#define DRIVE(name)                            \
    drive(name, cycle);                        \
    PIN(name, valid) = name.offers;            \
    if (name.offers) set(PIN(name, payload), name.due()->payload);
        SOURCES(DRIVE)
        top.clk = 0;
        top.eval();
#define SENT(name) settle(name, #name, cycle, name.offers && PIN(name, ready));
        SOURCES(SENT)
#define RECEIVED(name)                                                                       \
    if (PIN(name, valid) && name.due() && !carries(PIN(name, payload), name.due()->payload)) \
        fail(#name, cycle, "another payload than was recorded");                             \
    settle(name, #name, cycle, PIN(name, valid));
        SINKS(RECEIVED)
        top.clk = 1;
        top.eval();
        ++cycle;
    };

    int64_t took = 0;
    for (int argument = 4; argument < argc; ++argument) {
        const uint64_t first = std::strtoull(argv[argument], nullptr, 10);
        while (cycle < first) pass_cycle();
        const int64_t began = now();
        while (cycle < first + pause) pass_cycle();
        took += now() - began;
    }
    for (const auto& [name, stream] : streams) {
        if (stream.due()) fail(name.c_str(), cycle, "a recorded transfer is left");
    }
    top.final();
    std::printf("%" PRId64 "\n", took);
    return 0;
}
