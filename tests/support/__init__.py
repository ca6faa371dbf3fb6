"""What tests share; each module is imported by its own name, as ``import node_examples``.

Integer graphs
    node_examples       float graphs around one node, several of each type, and their integers
    random_graphs       random valid integer graphs with extreme parameters, a hypothesis strategy
    recurrent           neurons that feed each other, and what they do by a plain loop
    spiking_block       one tiny, one like a model: for metrics, energy and report
    by_hand             one node between inputs and an output, run by an integer engine
    spoiled             input, synapses and neurons in a chain, integers written out by hand
    published_networks  the two S4D networks whose compiler tables are public; the tables
Float graphs and PyTorch networks
    float_model         a float graph like a gated spiking block, and what passes make of it
    family_networks     small networks of every family with random parameters
    small_networks      the same with parameters that look trained, and their recurrences alone
    delayed_networks    small networks with learned delays, and what they do by a plain loop
    own_networks        networks that are not ours, with converters for their layers
    own_s4d             a layer with the names of state-spaces/s4's S4D, from its equations
    random_modules      random modules of supported operations, small programs from a seed
    foreign_bench       modules of other libraries beside the graphs that are made of them
Other witnesses
    chip_arithmetic     the cells of the bundle, without a network of Lava around them
    ttir                runs what Triton compiles a kernel to, its first intermediate language
    triton_compiled     compiles the kernels of the executor for GPUs, and runs them by that
    nir_interpreter     an interpreter of NIR files, from NIR's equations alone
    small_nir           small NIR graphs of other tools
Data, devices, disks
    following           what one types after a remedy that a command printed
    remedies            what messages tell their readers to type, from the source
    small_sets          data of one's own, each kind of task, answers by a formula
    small_texts         a text in the layout of WikiText-103, a recipe's changes to go with it
    pretend_device      a device that is none, and refuses tensors of the CPU
    training_elsewhere  a program that trains on it
    finetuning_elsewhere  one that fine-tunes on it
    gradients_of_two    a program for torchrun: one step on two processes, its gradients in files
    failing_disk        a disk that fails at the n-th operation
Documents
    pages               blocks, commands and links of pages; a program that runs a page
    words               texts that a user reads, and the replaced terms in them
    report_examples     reports of every kind, for a browser
"""
