// SPDX-License-Identifier: Apache-2.0
// An NPU under names that are also names in C++: two underscores in a row are not.

module device (
    input clk,
    input rst,
    input [32:0] command_payload,
    input command_valid,
    output command_ready,
    output [32:0] response_payload,
    output response_valid,
    input response_ready
`ifdef EXTERNAL
    ,
    output [31:0] m_axi_araddr,
    output [7:0] m_axi_arlen,
    output m_axi_arvalid,
    input m_axi_arready,
    input m_axi_rid,
    input [8*`EXTERNAL-1:0] m_axi_rdata,
    input [1:0] m_axi_rresp,
    input m_axi_rlast,
    input m_axi_rvalid
`endif
);
  `NPU npu (
      .clk(clk),
      .rst(rst),
      .command__payload(command_payload),
      .command__valid(command_valid),
      .command__ready(command_ready),
      .response__payload(response_payload),
      .response__valid(response_valid),
`ifdef EXTERNAL
      .m_axi_araddr(m_axi_araddr),
      .m_axi_arlen(m_axi_arlen),
      .m_axi_arvalid(m_axi_arvalid),
      .m_axi_arready(m_axi_arready),
      .m_axi_arid(),
      .m_axi_arsize(),
      .m_axi_arburst(),
      .m_axi_arcache(),
      .m_axi_arprot(),
      .m_axi_rid(m_axi_rid),
      .m_axi_rdata(m_axi_rdata),
      .m_axi_rresp(m_axi_rresp),
      .m_axi_rlast(m_axi_rlast),
      .m_axi_rvalid(m_axi_rvalid),
      .m_axi_rready(),
`endif
      .response__ready(response_ready)
  );
endmodule
