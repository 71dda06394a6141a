// SPDX-License-Identifier: Apache-2.0
// Blocks of the ECP5 that Yosys has no models of: block RAM, multiplier, pads. They are as the
// manufacturer's guides describe them, as far as netlists here use them; what goes beyond that ends
// the simulation.

// 1,024 words of 18 bits, seen by each port in words of 1 to 18, or of 36 by both ports together.
// Below 9 bits the highest of each byte's 9 is not there.
module DP16KD_MODEL (
  input CLKA, CEA, OCEA, WEA, RSTA, CSA2, CSA1, CSA0, CLKB, CEB, OCEB, WEB, RSTB, CSB2, CSB1, CSB0,
  input
    ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4,
    DIA3, DIA2, DIA1, DIA0,
    DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4,
    DIB3, DIB2, DIB1, DIB0,
  output
    DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4,
    DOA3, DOA2, DOA1, DOA0,
    DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4,
    DOB3, DOB2, DOB1, DOB0
);
  parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18, REGMODE_A = "NOREG", REGMODE_B = "NOREG";
  parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB", CSDECODE_A = "0b000", CSDECODE_B = "0b000";
  parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL", RESETMODE = "SYNC", GSR = "DISABLED";
  parameter ASYNC_RESET_RELEASE = "SYNC";
  // Each has 16 words, 20 bits apart.
  parameter [319:0]
    INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0, INITVAL_04 = 0, INITVAL_05 =
    0, INITVAL_06 = 0, INITVAL_07 = 0, INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0, INITVAL_0B
    = 0, INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0, INITVAL_0F = 0, INITVAL_10 = 0,
    INITVAL_11 = 0, INITVAL_12 = 0, INITVAL_13 = 0, INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 =
    0, INITVAL_17 = 0, INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0, INITVAL_1C
    = 0, INITVAL_1D = 0, INITVAL_1E = 0, INITVAL_1F = 0, INITVAL_20 = 0, INITVAL_21 = 0,
    INITVAL_22 = 0, INITVAL_23 = 0, INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 =
    0, INITVAL_28 = 0, INITVAL_29 = 0, INITVAL_2A = 0, INITVAL_2B = 0, INITVAL_2C = 0, INITVAL_2D
    = 0, INITVAL_2E = 0, INITVAL_2F = 0, INITVAL_30 = 0, INITVAL_31 = 0, INITVAL_32 = 0,
    INITVAL_33 = 0, INITVAL_34 = 0, INITVAL_35 = 0, INITVAL_36 = 0, INITVAL_37 = 0, INITVAL_38 =
    0, INITVAL_39 = 0, INITVAL_3A = 0, INITVAL_3B = 0, INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E
    = 0, INITVAL_3F = 0;
  localparam [64*320-1:0] FIRST = {
    INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39,
    INITVAL_38, INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32,
    INITVAL_31, INITVAL_30, INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B,
    INITVAL_2A, INITVAL_29, INITVAL_28, INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24,
    INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20, INITVAL_1F, INITVAL_1E, INITVAL_1D,
    INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18, INITVAL_17, INITVAL_16,
    INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10, INITVAL_0F,
    INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
    INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
  };
  localparam WIDE = DATA_WIDTH_A == 36;

  wire [13:0] ada = {
    ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0
  };
  wire [13:0] adb = {
    ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0
  };
  wire [17:0] dia = {
    DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4,
    DIA3, DIA2, DIA1, DIA0
  };
  wire [17:0] dib = {
    DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4,
    DIB3, DIB2, DIB1, DIB0
  };
  reg [17:0] memory [0:1023];
  integer n;
  initial begin
    for (n = 0; n < 1024; n = n + 1) memory[n] = FIRST[n / 16 * 320 + n % 16 * 20 +: 18];
    if (CLKAMUX != "CLKA" || CLKBMUX != "CLKB" || WIDE != (DATA_WIDTH_B == 36)) begin
      $display("DP16KD: there is no model of these parameters");
      $finish;
    end
  end
  always @(posedge CLKB)
    if (RSTA | RSTB | CSA2 | CSA1 | CSA0 | CSB2 | CSB1 | CSB0) begin
      $display("DP16KD: there is no model of resets and selections");
      $finish;
    end

  // Where in its 18 bits a word of the port begins, by the lowest bits of the address.
  function [4:0] place(input integer width, input [3:0] low);
    case (width)
      9: place = 9 * low[3];
      4: place = 9 * low[3] + 4 * low[2];
      2: place = 9 * low[3] + 2 * low[2:1];
      1: place = 9 * low[3] + low[2:0];
      default: place = 0;
    endcase
  endfunction
  function [17:0] ones(input integer width);
    ones = (19'd1 << width) - 19'd1;
  endfunction
  // Which of the 18 bits are written: bytes, which the lowest bits name where all are.
  function [17:0] written(input integer width, input [3:0] low);
    written = width == 18 ? {{9{low[1]}}, {9{low[0]}}} : ones(width) << place(width, low);
  endfunction

  wire [4:0] place_a = place(DATA_WIDTH_A, ada[3:0]), place_b = place(DATA_WIDTH_B, adb[3:0]);
  wire [17:0] written_a = written(DATA_WIDTH_A, ada[3:0]);
  wire [17:0] written_b = written(DATA_WIDTH_B, adb[3:0]);
  reg [17:0] found_a = 0, found_b = 0, later_a = 0, later_b = 0;
  generate
    if (WIDE) begin
      // Port A writes and port B reads; each has the data pins of both.
      always @(posedge CLKA)
        if (CEA & WEA) begin
          if (ada[0]) memory[{ada[13:5], 1'b0}][8:0] <= dia[8:0];
          if (ada[1]) memory[{ada[13:5], 1'b0}][17:9] <= dia[17:9];
          if (ada[2]) memory[{ada[13:5], 1'b1}][8:0] <= dib[8:0];
          if (ada[3]) memory[{ada[13:5], 1'b1}][17:9] <= dib[17:9];
        end
      always @(posedge CLKB) begin
        if (CEB) begin
          found_a <= memory[{adb[13:5], 1'b0}];
          found_b <= memory[{adb[13:5], 1'b1}];
        end
        if (OCEB) {later_a, later_b} <= {found_a, found_b};
      end
    end else begin
      always @(posedge CLKA) begin
        if (CEA) found_a <= (memory[ada[13:4]] >> place_a) & ones(DATA_WIDTH_A);
        if (OCEA) later_a <= found_a;
        if (CEA & WEA)
          memory[ada[13:4]] <= (memory[ada[13:4]] & ~written_a) | ((dia << place_a) & written_a);
      end
      always @(posedge CLKB) begin
        if (CEB) found_b <= (memory[adb[13:4]] >> place_b) & ones(DATA_WIDTH_B);
        if (OCEB) later_b <= found_b;
        if (CEB & WEB)
          memory[adb[13:4]] <= (memory[adb[13:4]] & ~written_b) | ((dib << place_b) & written_b);
      end
    end
  endgenerate
  assign {
    DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4,
    DOA3, DOA2, DOA1, DOA0
  } = REGMODE_A == "OUTREG" ? later_a : found_a;
  assign {
    DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4,
    DOB3, DOB2, DOB1, DOB0
  } = REGMODE_B == "OUTREG" ? later_b : found_b;
endmodule

module MULT18X18D_MODEL (
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, CLK0, CE0, RST0,
  input
    A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
    B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
    C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
  output
    P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17,
    P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
  parameter REG_INPUTA_CLK = "NONE", REG_INPUTA_CE = "CE0", REG_INPUTA_RST = "RST0";
  parameter REG_INPUTB_CLK = "NONE", REG_INPUTB_CE = "CE0", REG_INPUTB_RST = "RST0";
  parameter REG_OUTPUT_CLK = "NONE", REG_OUTPUT_CE = "CE0", REG_OUTPUT_RST = "RST0";
  wire [17:0] a = {
    A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0
  };
  wire [17:0] b = {
    B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0
  };
  reg [17:0] later_a = 0, later_b = 0;
  reg [35:0] later_p = 0;
  wire [17:0] x = REG_INPUTA_CLK == "NONE" ? a : later_a;
  wire [17:0] y = REG_INPUTB_CLK == "NONE" ? b : later_b;
  wire [35:0] p = {{18{SIGNEDA & x[17]}}, x} * {{18{SIGNEDB & y[17]}}, y};
  always @(posedge CLK0)
    if (RST0) {later_a, later_b, later_p} <= 0;
    else if (CE0) {later_a, later_b, later_p} <= {a, b, p};
  assign {
    P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17,
    P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
  } = REG_OUTPUT_CLK == "NONE" ? p : later_p;
endmodule

// A TRELLIS_IO by its direction: Verilator has no pad of both directions at a port of one.
module INPUT_PAD (input B, input I, input T, output O);
  assign O = B;
endmodule

module OUTPUT_PAD (output B, input I, input T, output O);
  assign B = T ? 1'bz : I;
endmodule
