// SPDX-License-Identifier: Apache-2.0
// Pads and PLLs of the parts, as far as a simulation needs them. A PLL's clock is its input's: only
// cycles count here.

module IB (input I, output O);
  assign O = I;
endmodule

module OBZ (input I, input T, output O);
  assign O = T ? 1'bz : I;
endmodule

module IBUF (input I, output O);
  assign O = I;
endmodule

module TBUF (input I, input OEN, output O);
  assign O = OEN ? 1'bz : I;
endmodule

module EHXPLLL (
  input CLKI, CLKFB, RST, STDBY, PHASESEL0, PHASESEL1, PHASEDIR, PHASESTEP, PHASELOADREG,
  PLLWAKESYNC, ENCLKOP, output CLKOP, LOCK
);
  parameter FREQUENCY_PIN_CLKI = "", FREQUENCY_PIN_CLKOP = "", PLLRST_ENA = "", INTFB_WAKE = "";
  parameter STDBY_ENABLE = "", DPHASE_SOURCE = "", OUTDIVIDER_MUXA = "", OUTDIVIDER_MUXB = "";
  parameter OUTDIVIDER_MUXC = "", OUTDIVIDER_MUXD = "", FEEDBK_PATH = "", CLKOP_ENABLE = "";
  parameter CLKI_DIV = 1, CLKFB_DIV = 1, CLKOP_DIV = 1, CLKOP_CPHASE = 0, CLKOP_FPHASE = 0;
  assign CLKOP = CLKI;
  // Locked some cycles after the start, as long as the feedback is its output.
  reg [3:0] count = 0;
  always @(posedge CLKI) if (!LOCK) count <= count + 1;
  assign LOCK = &count & (CLKFB == CLKOP) & ~RST;
endmodule

module SB_IO (inout PACKAGE_PIN, input D_OUT_0, input OUTPUT_ENABLE, output D_IN_0);
  parameter PIN_TYPE = 6'b000000, PULLUP = 0, IO_STANDARD = "";
  // Bits 5:2 say whether it drives: in 1010 there is an enable.
  generate
    if (PIN_TYPE[5:2] == 4'b1010) assign PACKAGE_PIN = OUTPUT_ENABLE ? D_OUT_0 : 1'bz;
    else assign D_IN_0 = PACKAGE_PIN;
  endgenerate
endmodule

module SB_GB_IO (inout PACKAGE_PIN, output GLOBAL_BUFFER_OUTPUT);
  parameter PIN_TYPE = 6'b000000, PULLUP = 0, IO_STANDARD = "";
  assign GLOBAL_BUFFER_OUTPUT = PACKAGE_PIN;
endmodule
