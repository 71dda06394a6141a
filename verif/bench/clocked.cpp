// SPDX-License-Identifier: Apache-2.0
// Main program of a simulation under cocotb that toggles the port `clk` (or `aclk`, which the build
// puts in its place) by itself. cocotb's own
// main program knows time only as what Python asks for, so that a clock costs several callbacks a
// cycle even while the bench sleeps.
//
// The clock is low at first and changes every 5 ns. Callbacks that wait for an edge come before the
// design sees it, so they read what the registers held until then; what they write comes after it.

#include <cstdint>
#include <memory>

#include "Vtop.h"
#include "verilated.h"
#include "verilated_vpi.h"

extern "C" void vlog_startup_routines_bootstrap();

namespace {

// In steps of 1 ps.
constexpr uint64_t kHalfPeriod = 5000;
uint64_t now = 0;

// Values that callbacks change may be what others wait for.
void call_value_callbacks() {
    while (VerilatedVpi::callValueCbs()) {
    }
}

// To ask first takes less time than to call what is not there.
void call_callbacks(uint32_t reason) {
    if (VerilatedVpi::hasCbs(reason)) VerilatedVpi::callCbs(reason);
}

// Brings the model up to date, and again for what callbacks write meanwhile.
void settle(Vtop& top) {
    do {
        do {
            top.eval_step();
            VerilatedVpi::clearEvalNeeded();
            VerilatedVpi::doInertialPuts();
            call_value_callbacks();
        } while (VerilatedVpi::evalNeeded());
        call_callbacks(cbReadWriteSynch);
        VerilatedVpi::doInertialPuts();
        call_value_callbacks();
    } while (VerilatedVpi::evalNeeded());
    top.eval_end_step();
    call_callbacks(cbReadOnlySynch);
}

}  // namespace

double sc_time_stamp() { return static_cast<double>(now); }

int main(int argc, char** argv) {
    Verilated::commandArgs(argc, argv);
    // cocotb asks for things that a simulator may lack, and deals with the answer.
    Verilated::fatalOnVpiError(false);
    const auto top = std::make_unique<Vtop>("");
    top->clk = 0;
    vlog_startup_routines_bootstrap();
    VerilatedVpi::callCbs(cbStartOfSimulation);
    call_value_callbacks();
    settle(*top);

    for (uint64_t edge = kHalfPeriod; !Verilated::gotFinish();) {
        const uint64_t asked = VerilatedVpi::cbNextDeadline();
        now = asked < edge ? asked : edge;
        VerilatedVpi::callCbs(cbNextSimTime);
        if (now == edge) {
            top->clk = !top->clk;
            edge += kHalfPeriod;
        }
        if (now == asked) VerilatedVpi::callTimedCbs();
        call_value_callbacks();
        settle(*top);
    }
    top->final();
    VerilatedVpi::callCbs(cbEndOfSimulation);
    return Verilated::threadContextp()->errorCount() > 0 ? 1 : 0;
}
