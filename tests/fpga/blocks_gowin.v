// SPDX-License-Identifier: Apache-2.0
// Blocks of Gowin parts that Yosys has no models of: block RAM, multipliers, pads. They are as the
// manufacturer's guides describe them, as far as netlists here use them; what goes beyond that ends
// the simulation.

// 2,048 lanes of 8 or 9 bits, of which a word has some, or is a part of one. The lowest bits of the
// address name the lanes that are written where a word has several.
module gowin_ram #(
  parameter UNIT = 8, WIDTH_A = 8, WIDTH_B = 8, WRITE_A = 0, WRITE_B = 0, SIMPLE = 1,
  parameter [64*32*UNIT-1:0] FIRST = 0
) (
  input clk_a, ce_a, wre_a, reset_a, clk_b, ce_b, wre_b, reset_b, input [13:0] ad_a, ad_b,
  input [4*UNIT-1:0] di_a, di_b, output reg [4*UNIT-1:0] do_a, do_b
);
  reg [UNIT-1:0] memory [0:2047];
  integer n, m;
  initial begin
    for (n = 0; n < 2048; n = n + 1) memory[n] = FIRST[UNIT*n +: UNIT];
    if (!SIMPLE) begin
      $display("block RAM: there is no model of these parameters");
      $finish;
    end
  end

  function integer lanes(input integer width);
    lanes = width < UNIT ? 1 : width / UNIT;
  endfunction
  function [10:0] lane(input integer width, input [13:0] ad, input integer n);
    lane = width == 4 * UNIT ? {ad[13:5], n[1:0]} : width == 2 * UNIT ? {ad[13:4], n[0]} : ad[13:3];
  endfunction
  function enabled(input integer width, input [3:0] low, input integer n);
    enabled = width < 2 * UNIT || low[n[1:0]];
  endfunction
  function integer place(input integer width, input [2:0] low);
    place = width >= UNIT ? 0 : width == 4 ? 4 * low[2] : width == 2 ? 2 * low[2:1] : low;
  endfunction

  wire [3:0] at_a = place(WIDTH_A, ad_a[2:0]), at_b = place(WIDTH_B, ad_b[2:0]);
  localparam [UNIT-1:0] ONES_A = WIDTH_A >= UNIT ? ~0 : (1 << WIDTH_A) - 1;
  localparam [UNIT-1:0] ONES_B = WIDTH_B >= UNIT ? ~0 : (1 << WIDTH_B) - 1;
  wire [UNIT-1:0] mask_a = ONES_A << at_a, mask_b = ONES_B << at_b;

  // Lane by lane: what a write changes, and what a read finds.
  always @(posedge clk_a)
    if (ce_a) begin
      for (n = 0; n < 4; n = n + 1) begin
        if (wre_a && n < lanes(WIDTH_A) && enabled(WIDTH_A, ad_a[3:0], n))
          memory[lane(WIDTH_A, ad_a, n)] <= (memory[lane(WIDTH_A, ad_a, n)] & ~mask_a)
            | ((di_a[UNIT*n +: UNIT] << at_a) & mask_a);
        if (!wre_a || WRITE_A == 2)
          do_a[UNIT*n +: UNIT] <= n < lanes(WIDTH_A)
            ? (memory[lane(WIDTH_A, ad_a, n)] & mask_a) >> at_a : 0;
        else if (WRITE_A == 1) do_a[UNIT*n +: UNIT] <= di_a[UNIT*n +: UNIT];
      end
      if (reset_a) do_a <= 0;
    end

  always @(posedge clk_b)
    if (ce_b) begin
      for (m = 0; m < 4; m = m + 1) begin
        if (wre_b && m < lanes(WIDTH_B) && enabled(WIDTH_B, ad_b[3:0], m))
          memory[lane(WIDTH_B, ad_b, m)] <= (memory[lane(WIDTH_B, ad_b, m)] & ~mask_b)
            | ((di_b[UNIT*m +: UNIT] << at_b) & mask_b);
        if (!wre_b || WRITE_B == 2)
          do_b[UNIT*m +: UNIT] <= m < lanes(WIDTH_B)
            ? (memory[lane(WIDTH_B, ad_b, m)] & mask_b) >> at_b : 0;
        else if (WRITE_B == 1) do_b[UNIT*m +: UNIT] <= di_b[UNIT*m +: UNIT];
      end
      if (reset_b) do_b <= 0;
    end
endmodule

// What each block RAM begins with: 64 parameters of so many bits, and all of them, the last on top.
`define FIRST_VALUES(last) \
  parameter [last:0] \
    INIT_RAM_00 = 0, INIT_RAM_01 = 0, INIT_RAM_02 = 0, INIT_RAM_03 = 0, \
    INIT_RAM_04 = 0, INIT_RAM_05 = 0, INIT_RAM_06 = 0, INIT_RAM_07 = 0, \
    INIT_RAM_08 = 0, INIT_RAM_09 = 0, INIT_RAM_0A = 0, INIT_RAM_0B = 0, \
    INIT_RAM_0C = 0, INIT_RAM_0D = 0, INIT_RAM_0E = 0, INIT_RAM_0F = 0, \
    INIT_RAM_10 = 0, INIT_RAM_11 = 0, INIT_RAM_12 = 0, INIT_RAM_13 = 0, \
    INIT_RAM_14 = 0, INIT_RAM_15 = 0, INIT_RAM_16 = 0, INIT_RAM_17 = 0, \
    INIT_RAM_18 = 0, INIT_RAM_19 = 0, INIT_RAM_1A = 0, INIT_RAM_1B = 0, \
    INIT_RAM_1C = 0, INIT_RAM_1D = 0, INIT_RAM_1E = 0, INIT_RAM_1F = 0, \
    INIT_RAM_20 = 0, INIT_RAM_21 = 0, INIT_RAM_22 = 0, INIT_RAM_23 = 0, \
    INIT_RAM_24 = 0, INIT_RAM_25 = 0, INIT_RAM_26 = 0, INIT_RAM_27 = 0, \
    INIT_RAM_28 = 0, INIT_RAM_29 = 0, INIT_RAM_2A = 0, INIT_RAM_2B = 0, \
    INIT_RAM_2C = 0, INIT_RAM_2D = 0, INIT_RAM_2E = 0, INIT_RAM_2F = 0, \
    INIT_RAM_30 = 0, INIT_RAM_31 = 0, INIT_RAM_32 = 0, INIT_RAM_33 = 0, \
    INIT_RAM_34 = 0, INIT_RAM_35 = 0, INIT_RAM_36 = 0, INIT_RAM_37 = 0, \
    INIT_RAM_38 = 0, INIT_RAM_39 = 0, INIT_RAM_3A = 0, INIT_RAM_3B = 0, \
    INIT_RAM_3C = 0, INIT_RAM_3D = 0, INIT_RAM_3E = 0, INIT_RAM_3F = 0;
`define ALL_VALUES { \
    INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, \
    INIT_RAM_39, INIT_RAM_38, INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, \
    INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30, INIT_RAM_2F, INIT_RAM_2E, \
    INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28, \
    INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, INIT_RAM_23, INIT_RAM_22, \
    INIT_RAM_21, INIT_RAM_20, INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, \
    INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18, INIT_RAM_17, INIT_RAM_16, \
    INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10, \
    INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, \
    INIT_RAM_09, INIT_RAM_08, INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, \
    INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00 \
  }

module SPX9_MODEL (
  input CLK, CE, OCE, RESET, WRE, input [2:0] BLKSEL, input [13:0] AD, input [35:0] DI,
  output [35:0] DO
);
  parameter BIT_WIDTH = 36, READ_MODE = 0, WRITE_MODE = 0, BLK_SEL = 0, RESET_MODE = "SYNC";
  `FIRST_VALUES(287)
  wire [35:0] nothing;
  gowin_ram #(
    .UNIT(9), .WIDTH_A(BIT_WIDTH), .WIDTH_B(BIT_WIDTH), .WRITE_A(WRITE_MODE), .WRITE_B(0),
    .SIMPLE(!READ_MODE && !BLK_SEL), .FIRST(`ALL_VALUES)
  ) ram (
    .clk_a(CLK), .ce_a(CE & BLKSEL == 0), .wre_a(WRE), .reset_a(RESET), .ad_a(AD), .di_a(DI),
    .do_a(DO), .clk_b(CLK), .ce_b(1'b0), .wre_b(1'b0), .reset_b(1'b0), .ad_b(14'b0), .di_b(36'b0),
    .do_b(nothing)
  );
endmodule

module SDPX9B_MODEL (
  input CLKA, CEA, RESETA, CLKB, CEB, OCE, RESETB, input [2:0] BLKSELA, BLKSELB,
  input [13:0] ADA, ADB, input [35:0] DI, output [35:0] DO
);
  parameter BIT_WIDTH_0 = 36, BIT_WIDTH_1 = 36, READ_MODE = 0, BLK_SEL_0 = 0, BLK_SEL_1 = 0;
  parameter RESET_MODE = "SYNC";
  `FIRST_VALUES(287)
  wire [35:0] nothing;
  gowin_ram #(
    .UNIT(9), .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), .WRITE_A(0), .WRITE_B(0),
    .SIMPLE(!READ_MODE && !BLK_SEL_0 && !BLK_SEL_1), .FIRST(`ALL_VALUES)
  ) ram (
    .clk_a(CLKA), .ce_a(CEA & BLKSELA == 0), .wre_a(1'b1), .reset_a(1'b0), .ad_a(ADA), .di_a(DI),
    .do_a(nothing), .clk_b(CLKB), .ce_b(CEB & BLKSELB == 0), .wre_b(1'b0), .reset_b(RESETB),
    .ad_b(ADB), .di_b(36'b0), .do_b(DO)
  );
endmodule

module DPX9B_MODEL (
  input CLKA, CEA, OCEA, RESETA, WREA, CLKB, CEB, OCEB, RESETB, WREB, input [2:0] BLKSELA, BLKSELB,
  input [13:0] ADA, ADB, input [17:0] DIA, DIB, output [17:0] DOA, DOB
);
  parameter BIT_WIDTH_0 = 18, BIT_WIDTH_1 = 18, WRITE_MODE0 = 0, WRITE_MODE1 = 0, READ_MODE0 = 0;
  parameter READ_MODE1 = 0, BLK_SEL_0 = 0, BLK_SEL_1 = 0, RESET_MODE = "SYNC";
  `FIRST_VALUES(287)
  wire [35:0] found_a, found_b;
  gowin_ram #(
    .UNIT(9), .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), .WRITE_A(WRITE_MODE0),
    .WRITE_B(WRITE_MODE1), .SIMPLE(!READ_MODE0 && !READ_MODE1 && !BLK_SEL_0 && !BLK_SEL_1),
    .FIRST(`ALL_VALUES)
  ) ram (
    .clk_a(CLKA), .ce_a(CEA & BLKSELA == 0), .wre_a(WREA), .reset_a(RESETA), .ad_a(ADA),
    .di_a({18'b0, DIA}), .do_a(found_a), .clk_b(CLKB), .ce_b(CEB & BLKSELB == 0), .wre_b(WREB),
    .reset_b(RESETB), .ad_b(ADB), .di_b({18'b0, DIB}), .do_b(found_b)
  );
  assign DOA = found_a[17:0], DOB = found_b[17:0];
endmodule

module DPB_MODEL (
  input CLKA, CEA, OCEA, RESETA, WREA, CLKB, CEB, OCEB, RESETB, WREB, input [2:0] BLKSELA, BLKSELB,
  input [13:0] ADA, ADB, input [15:0] DIA, DIB, output [15:0] DOA, DOB
);
  parameter BIT_WIDTH_0 = 16, BIT_WIDTH_1 = 16, WRITE_MODE0 = 0, WRITE_MODE1 = 0, READ_MODE0 = 0;
  parameter READ_MODE1 = 0, BLK_SEL_0 = 0, BLK_SEL_1 = 0, RESET_MODE = "SYNC";
  `FIRST_VALUES(255)
  wire [31:0] found_a, found_b;
  gowin_ram #(
    .UNIT(8), .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), .WRITE_A(WRITE_MODE0),
    .WRITE_B(WRITE_MODE1), .SIMPLE(!READ_MODE0 && !READ_MODE1 && !BLK_SEL_0 && !BLK_SEL_1),
    .FIRST(`ALL_VALUES)
  ) ram (
    .clk_a(CLKA), .ce_a(CEA & BLKSELA == 0), .wre_a(WREA), .reset_a(RESETA), .ad_a(ADA),
    .di_a({16'b0, DIA}), .do_a(found_a), .clk_b(CLKB), .ce_b(CEB & BLKSELB == 0), .wre_b(WREB),
    .reset_b(RESETB), .ad_b(ADB), .di_b({16'b0, DIB}), .do_b(found_b)
  );
  assign DOA = found_a[15:0], DOB = found_b[15:0];
endmodule

module MULT18X18_MODEL (
  input [17:0] A, B, SIA, SIB, input ASIGN, BSIGN, ASEL, BSEL, CE, CLK, RESET,
  output [35:0] DOUT
);
  initial if (ASEL | BSEL) begin
    $display("MULT18X18: there is no model of shifted operands");
    $finish;
  end
  assign DOUT = {{18{ASIGN & A[17]}}, A} * {{18{BSIGN & B[17]}}, B};
endmodule

module MULT9X9_MODEL (
  input [8:0] A, B, SIA, SIB, input ASIGN, BSIGN, ASEL, BSEL, CE, CLK, RESET,
  output [17:0] DOUT
);
  initial if (ASEL | BSEL) begin
    $display("MULT9X9: there is no model of shifted operands");
    $finish;
  end
  assign DOUT = {{9{ASIGN & A[8]}}, A} * {{9{BSIGN & B[8]}}, B};
endmodule
