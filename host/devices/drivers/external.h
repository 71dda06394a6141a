// SPDX-License-Identifier: Apache-2.0
// External memory at the AXI4 port of an NPU under Verilator, for drivers that are compiled with
// EXTERNAL, the bytes of a beat. It takes every address at once; the first beat of a burst comes
// LATENCY cycles after its address, or right behind the burst before it, then one a cycle. What is
// beyond its end is refused.

#ifndef EXTERNAL_H
#define EXTERNAL_H

#include <cstdint>
#include <deque>
#include <vector>

#include "Vdevice.h"
#include "verilated.h"

class ExternalMemory {
  public:
    std::vector<uint32_t> words;

    // Before the design is evaluated for a cycle.
    void drive(Vdevice& npu) {
        const bool valid = !bursts_.empty() && bursts_.front().due <= now_;
        npu.m_axi_arready = 1;
        npu.m_axi_rvalid = valid;
        if (!valid) return;
        const Burst& burst = bursts_.front();
        const uint64_t first = burst.address / 4;
        const bool beyond = first + kWords > words.size();
        npu.m_axi_rresp = beyond ? 2 : 0;
        npu.m_axi_rlast = burst.left == 1;
        npu.m_axi_rid = 0;
        if (!beyond) put(npu.m_axi_rdata, &words[first]);
    }

    // Once it is evaluated, before the clock rises. The NPU takes every beat.
    void sample(const Vdevice& npu) {
        if (npu.m_axi_rvalid) {
            Burst& burst = bursts_.front();
            burst.address += EXTERNAL;
            if (--burst.left == 0) bursts_.pop_front();
        }
        if (npu.m_axi_arvalid) {
            bursts_.push_back({npu.m_axi_araddr, npu.m_axi_arlen + 1u, now_ + LATENCY});
        }
        ++now_;
    }

  private:
    static constexpr uint64_t kWords = EXTERNAL / 4;

    struct Burst {
        uint64_t address;
        uint32_t left;
        uint64_t due;
    };

    std::deque<Burst> bursts_;
    uint64_t now_ = 0;

    static void put(uint32_t& pin, const uint32_t* from) { pin = *from; }
    static void put(uint64_t& pin, const uint32_t* from) {
        pin = from[0] | static_cast<uint64_t>(from[1]) << 32;
    }
    template <std::size_t N>
    static void put(VlWide<N>& pin, const uint32_t* from) {
        for (std::size_t word = 0; word < N; ++word) pin[word] = from[word];
    }
};

#endif
