// SPDX-License-Identifier: Apache-2.0
// Adders in carry chains of the ECP5, as short as nextpnr can pack them.
//
// The first cell of a chain takes its carry from a neighbour that has none to give. So nextpnr puts a cell of two
// positions before every chain, to make the first carry, and one behind it, for the last carry to leave by. Here the
// first position of a chain makes the first carry, and the last carry leaves by a position of its own where
// somebody wants it: an adder of N bits takes N + 1 positions or N + 2. The ends must be open for that, which
// `ecp5_chains.py` sees to.

(* techmap_celltype = "$alu" *)
module ecp5_carry_alu (A, B, CI, BI, X, Y, CO);
	parameter A_SIGNED = 0;
	parameter B_SIGNED = 0;
	parameter A_WIDTH = 1;
	parameter B_WIDTH = 1;
	parameter Y_WIDTH = 1;
	parameter _TECHMAP_CONSTMSK_CI_ = 0;
	parameter _TECHMAP_CONSTVAL_CI_ = 0;

	input [A_WIDTH-1:0] A;
	input [B_WIDTH-1:0] B;
	input CI, BI;
	output [Y_WIDTH-1:0] X, Y, CO;

	// As in the map that Yosys has, narrow adders are left to LUTs.
	wire _TECHMAP_FAIL_ = Y_WIDTH <= 4;

	// The first carry, the bits, the last carry; two positions a cell.
	localparam CELLS = (Y_WIDTH + 3) / 2;

	// An operand of no bits is zero.
	wire [Y_WIDTH-1:0] a, b;
	generate
		if (A_WIDTH == 0)
			assign a = 0;
		else
			\$pos #(.A_SIGNED(A_SIGNED), .A_WIDTH(A_WIDTH), .Y_WIDTH(Y_WIDTH)) extend_a (.A(A), .Y(a));
		if (B_WIDTH == 0)
			assign b = 0;
		else
			\$pos #(.A_SIGNED(B_SIGNED), .A_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)) extend_b (.A(B), .Y(b));
	endgenerate

	// What is constant goes into the tables, so that it takes no wire.
	wire first = _TECHMAP_CONSTMSK_CI_ ? 1'b1 : CI;
	wire [2*CELLS-1:0] position_a = {{2*CELLS{1'b1}}, a, first};
	wire [2*CELLS-1:0] position_b = {{2*CELLS{1'b1}}, b, 1'b1};
	wire [2*CELLS-1:0] sum;
	wire [CELLS:0] carry;
	assign carry[0] = 1'bx;

	// The sum is table(A, B, C, D) ^ carry. Where the table gives 1 the carry goes on, else the next carry is
	// table(A, B, 0, 0). With B tied to 1, ~B is 0; a plain 0 would join the sum to the carry, and ABC of Yosys 0.70
	// takes the sum of such a cell for 0.
	localparam [15:0] ADD = 16'b1001_0110_1010_1010; // A ^ B ^ C; A
	localparam [15:0] FIRST = _TECHMAP_CONSTMSK_CI_ == 0 ? 16'b0011_0000_0000_1010 // ~B; A
		: _TECHMAP_CONSTVAL_CI_ == 0 ? 16'b0011_0000_0000_0000 : 16'b0011_0000_0000_1111; // ~B; CI
	localparam [15:0] LAST = 16'b0011_0011_0011_0011; // ~B; ~B

	genvar i;
	generate
		for (i = 0; i < CELLS; i = i + 1) begin : cells
			CCU2C #(
				.INIT0(i == 0 ? FIRST : 2*i <= Y_WIDTH ? ADD : LAST),
				.INIT1(2*i + 1 <= Y_WIDTH ? ADD : LAST),
				.INJECT1_0("NO"),
				.INJECT1_1("NO")
			) cell_ (
				.CIN(carry[i]),
				.A0(position_a[2*i]), .B0(position_b[2*i]), .C0(i == 0 ? 1'b1 : BI), .D0(1'b1),
				.A1(position_a[2*i+1]), .B1(position_b[2*i+1]), .C1(BI), .D1(1'b1),
				.S0(sum[2*i]), .S1(sum[2*i+1]), .COUT(carry[i+1])
			);
		end
	endgenerate

	wire [Y_WIDTH-1:0] operand = b ^ {Y_WIDTH{BI}};
	assign X = a ^ operand;
	assign Y = sum[Y_WIDTH:1];
	generate
		for (i = 0; i < Y_WIDTH; i = i + 1)
			assign CO[i] = i == Y_WIDTH - 1 ? sum[Y_WIDTH+1] : (a[i] & operand[i]) | (X[i] & ~Y[i]);
	endgenerate
endmodule
