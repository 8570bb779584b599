// What went, and what the model costs now.
Console.WriteLine(SlimModel.Plan.Summary);

// The slim model, with typed inputs and outputs.
using var model = SlimModel.Open();
// SlimModel.Outputs y = model.Run(new(…));
