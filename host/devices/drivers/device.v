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
);
  `NPU npu (
      .clk(clk),
      .rst(rst),
      .command__payload(command_payload),
      .command__valid(command_valid),
      .command__ready(command_ready),
      .response__payload(response_payload),
      .response__valid(response_valid),
      .response__ready(response_ready)
  );
endmodule
